//! The embedded engines: event log, views, progress, leases and the gate of event versions, in SQLite files of the data
//! directory.
//!
//! A backup reads the log's file beside them, a restore fills a new one.
//!
//! Invariants: one process writes a file; whatever is answered as done is in the file.

pub mod backup;
pub mod database;
pub mod leases;
pub mod log;
pub mod progress;
mod readers;
mod small_file;
pub mod version_gate;
pub mod views;
mod wal;

pub use backup::{SqliteSource, SqliteTarget};
pub use database::{OpenError, Synchronous};
pub use leases::SqliteLeases;
pub use log::file::{LogFile, RawRow};
pub use log::{Options, SqliteLog};
pub use progress::SqliteProgress;
pub use version_gate::SqliteVersionGate;
pub use views::{SqliteViews, ViewOptions};
