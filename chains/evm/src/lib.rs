//! Pure Ethereum knowledge: addresses, plans, signed bytes, the verdict about finality and the ring of followed blocks.
//!
//! Invariants: no I/O, no clock, no randomness; every amount is checked arithmetic; nothing panics on foreign input.
//! A plan does what its intent says and nothing else, and whoever signs can check that alone with [`check_plan`].
//! Refuses: other chains' assets, wrong checksums, the zero address as a destination, transactions of other types.

pub mod address;
pub mod asset;
pub mod check;
pub mod erc20;
pub mod error;
pub mod fee;
pub mod head_ring;
pub mod plan;
pub mod revert;
pub mod transaction;
pub mod verdict;

pub use address::{address_of, checksummed, parse_address, parse_destination};
pub use alloy_primitives::{Address, B256};
pub use check::check_plan;
pub use error::{AddressError, PlanError, PlanMismatch, TransactionError};
pub use head_ring::{HeadRing, HeadUpdate};
pub use plan::plan;
pub use transaction::{assemble, decode, digest, txid};
pub use verdict::{Verdict, verdict};
