//! The fault rig: what tests and the soak do to the product, its engines and what is between them.
//!
//! * [`Child`]: a process of the product, killed as by a power cut, frozen, thawed.
//! * [`Link`]: a wire between two processes that can be slow, narrow, silent, half open, cut.
//! * [`SmallDisk`]: a disk of the product's own that can be filled and given room again.
//! * [`ledger`]: whether what was acknowledged is in the log, once.
//! * [`fold`]: whether views are what a fold from zero gives.
//! * [`lines`]: the table of `docs/faults.md`, whose every line is a test.
//!
//! Engines are killed and frozen by `vaultstream_engines::Server`; clocks are moved by [`Clocks`].

mod child;
mod clocks;
pub mod fold;
pub mod ledger;
pub mod lines;
mod link;
mod small_disk;

pub use child::Child;
pub use clocks::{Clocks, VARIABLE as CLOCK_FILE};
pub use link::{Link, Weather};
pub use small_disk::SmallDisk;
