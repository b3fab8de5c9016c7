//! The domain: pure decisions and folds of every bounded context, and the ports through which the rest of the world is
//! reached.
//!
//! Invariants: `decide` and `evolve` do no I/O, read no clock and draw no chance; facts come in with the command.
//! `evolve` is total: it never fails and never panics on an event that was once accepted.

pub mod ports;
