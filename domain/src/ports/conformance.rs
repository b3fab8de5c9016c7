//! The ports' contracts as code: suites that every adapter passes unchanged.
//!
//! A suite is a set of plain functions that panic when the contract is broken; an adapter's tests call them with a
//! harness that makes the adapter. They use public port methods only, so they say nothing an adapter could not know.

pub mod bus;
pub mod cache;
pub mod event_log;
pub mod keyring;
pub mod leases;
pub mod note_list;
pub mod progress;
pub mod publisher;
pub mod rate_limits;
pub mod runtime;
pub mod sample;
pub mod version_gate;
pub mod view_store;
