//! Our deciders as `cqrs_es` aggregates, and our log as its event repository: stock cqrs-es runs on Vaultstream's
//! history.
//!
//! Invariants: the aggregate's event is the *stored* event, upcast inside `apply`, so cqrs-es sees every event that was
//! ever written, once, under its own sequence. Read-side only: appending, snapshots and upcasters stay ours, because
//! the snapshot and aggregate stores of cqrs-es 0.5.0 apply events twice (`tests/known_trap.rs` watches it).
//! Refuses: to persist; to decide on a history that this build cannot read.

mod aggregate;
mod repository;

pub use aggregate::{Stock, StockError, StockEvent, Wrapped};
pub use repository::LogRepository;
