//! Sagas and watchers: the only place that reacts to events by acting.
//!
//! A reaction may run twice: after a crash, on a second node, on a duplicate record. It therefore ends in use cases that
//! answer "nothing changed" the second time, and a cursor moves on only when the reaction is done. To-do views are
//! hints; every decision is made on streams, through the executor.

pub mod advance_transfer;
pub mod barrier;
pub mod carry_out_erasures;
pub mod chain_lane;
pub mod open_account;
pub mod reactor;
pub mod reconcile;
pub mod release;
pub mod services;
pub mod settle_execution;
pub mod shared_load;

pub use barrier::{Barrier, Closed, NoBarrier};
pub use carry_out_erasures::CarryOutErasures;
pub use chain_lane::{ChainLane, LaneHandle, LaneOptions};
pub use reactor::{React, ReactError, Reactor};
pub use services::{Boundary, Chain, CommandError, Commands, NoBoundary, Services};
