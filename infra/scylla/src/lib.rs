//! The cluster's view store on ScyllaDB, or on anything that speaks its CQL.
//!
//! Invariants: a row is its keys and one value column, written `USING TIMESTAMP` with the log's stamp and never deleted,
//! so the engine's own rule (the higher stamp wins, at equal stamps the larger value) is the port's rule. No light-weight
//! transactions, no counters, nothing null. Every write may be sent twice. Refuses: keys that do not fit their table,
//! generations that were not created, tables made for something else, keyspaces written by a newer version.

mod bind;
mod buckets;
mod connect;
mod dump;
mod error;
mod layout;
mod options;
mod read;
mod schema;
mod tables;
mod views;
mod write;

pub use error::OpenError;
pub use options::{BucketWidth, Credentials, Replication, ScyllaOptions, ViewConsistency};
pub use views::ScyllaViews;
