//! The cluster's event log, snapshots, progress, leases and gate of event versions on PostgreSQL.
//!
//! Invariants: one batch is one autocommit statement a database, so a process that stops holds no lock; whatever is
//! answered as done is durable. Several processes may use the same databases and take turns. Refuses at start: servers
//! before version 15, another cluster's database, a schema this build cannot work with, clocks that disagree, shards that are
//! configured elsewhere than they are kept.

pub mod baseline;
pub mod database;
pub mod error;
mod guarded;
pub mod leases;
pub mod log;
mod migrations;
pub mod note_list;
pub mod options;
pub mod progress;
mod registry;
pub mod version_gate;

pub use database::{Database, Migrate};
pub use error::OpenError;
pub use leases::PgLeases;
pub use log::PgLog;
pub use log::restore::PgTarget;
pub use note_list::PgNoteList;
pub use options::{DatabaseConfig, Part, PgLogOptions, Shards};
pub use progress::PgProgress;
pub use version_gate::PgVersionGate;
