//! The published language of Vaultstream: ids, money, chain names, clocks, tokens, the envelope and every
//! payload ever written, with the rules that make them canonical and hashable.
//!
//! Invariants: no I/O, no clock, no randomness, safe to compile to wasm. What is written once is readable for
//! ever: a payload struct of version *n* never changes; a new shape is a new version plus an upcaster.
//! Refuses: unknown fields, numbers that JSON cannot carry exactly, ids of the wrong kind.

pub mod actor;
pub mod caip;
pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod clock;
pub mod envelope;
pub mod erasure;
pub mod error_code;
pub mod id;
pub mod mark;
pub mod merkle;
pub mod money;
pub mod note;
pub mod payload;
pub mod placement;
pub mod proof;
pub mod public_event;
pub mod record;
#[cfg(debug_assertions)]
pub mod rehearsal;
pub mod release;
pub mod sealed;
pub mod status;
pub mod token;
pub mod upcast;
pub mod versions;

pub mod audit;
pub mod execution;
pub mod organization;
pub mod platform;
pub mod transfer;
pub mod vault;

#[cfg(feature = "schema")]
pub mod asyncapi;
#[cfg(feature = "schema")]
pub mod schema;

pub use actor::Actor;
pub use caip::{AssetId, ChainId, Slug};
pub use checkpoint::{Checkpoint, CheckpointRef};
pub use clock::{Hlc, Timestamp};
pub use envelope::{Envelope, EventRef, StoredEvent};
pub use erasure::Grounds;
pub use error_code::ErrorCode;
pub use id::*;
pub use money::{Amount, Money};
pub use payload::{Encoded, Payload};
pub use placement::{Family, Registry, ShardNumber};
pub use sealed::Sealed;
pub use status::{AccountStatus, ExecutionStatus, TransferStatus};
pub use versions::Versions;
