//! The domain: pure decisions and folds of every bounded context, and the ports through which the rest of the world is
//! reached.
//!
//! Invariants: `decide` and `evolve` do no I/O, read no clock and draw no chance; facts come in with the command.
//! `evolve` is total: it never fails and never panics on an event that was once accepted.

pub mod aggregate;
pub mod decider;
pub mod error;
#[cfg(test)]
mod given;
pub mod name;
pub mod ports;
pub mod transact;

pub mod audit;
pub mod execution;
pub mod organization;
pub mod platform;
pub mod transfer;
pub mod vault;

pub use aggregate::{Event, State};
pub use decider::{Decider, WireEvent};
pub use error::DomainError;
pub use transact::{Change, CommandContext, States, Transact};
