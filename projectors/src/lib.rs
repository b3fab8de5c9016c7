//! What a view is (tables as values, rows, pure folds, canonical dump), the worker that keeps it, and the reads that
//! answer from it.
//!
//! Invariants: exactly one shard writes a row; a row is the fold of one stream and holds its tenant; a fold skips what
//! its row has seen; the tenant is a part of every key an API reads by. Refuses nothing that was once accepted: an event
//! that cannot be folded parks its own stream and nothing else.

mod about;
pub mod cache;
pub mod dump;
pub mod follow;
pub mod generations;
pub mod lane;
pub mod observer;
pub mod past;
pub mod projector;
pub mod read;
pub mod rebuild;
mod requests;
mod retries;
pub mod rows;
pub mod switch;
pub mod tables;
pub mod unwritten;
pub mod view;
pub mod view_name;
pub mod views;
pub mod watermarks;
mod worker;

pub use follow::FollowViews;
pub use generations::Generations;
pub use lane::Retried;
pub use observer::{Fact, Observer, Unobserved};
pub use projector::{Projector, ProjectorOptions, ProjectorParts, SwitchGenerations};
pub use read::{ReadError, Reads, ReadsParts};
pub use switch::{ExecutorSwitch, generation_states, switched};
pub use unwritten::{NoRebuilds, OnlyNumbers};
pub use view_name::ViewName;
pub use watermarks::Watermarks;
