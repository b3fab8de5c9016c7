//! The holes in the wall: everything the platform needs from outside, as traits with their contracts.
//!
//! Kernel, workflows and APIs know only these; adapters in `infra/` fill them, and each port has a conformance suite
//! (feature `conformance`) that every adapter passes unchanged. Clock, ids, randomness and spawning are ports too, so
//! that a simulator can drive the same code.

pub mod backup;
pub mod bus;
pub mod cache;
pub mod chain_node;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod echo;
pub mod event_log;
pub mod faucet;
pub mod keyring;
pub mod keys;
pub mod leases;
pub mod note_list;
pub mod progress;
pub mod publisher;
pub mod rate_limits;
pub mod runtime;
pub mod seal;
pub mod version_gate;
pub mod view_store;
pub mod wrong_clock;

pub use backup::{BackupSource, BackupStore, RestoreTarget};
pub use bus::Bus;
pub use cache::Cache;
pub use chain_node::ChainNode;
pub use echo::Echo;
pub use event_log::EventLog;
pub use faucet::Faucet;
pub use keyring::Keyring;
pub use keys::{AccountKeys, Signing};
pub use leases::Leases;
pub use note_list::NoteList;
pub use progress::Progress;
pub use publisher::Publisher;
pub use rate_limits::RateLimits;
pub use runtime::{Clock, Ids, Rng, Spawn};
pub use seal::SealText;
pub use version_gate::VersionGate;
pub use view_store::ViewStore;
