//! The platform's own aggregates: the generations of views, and releases of a log that was behind its mark.

mod requests;
mod rewind;
mod view_generation;

pub use requests::{AskOfView, Wish};
pub use rewind::{ReleaseRewind, Rewind, RewindCommand, RewindError, RewindEvent, RewindState, rewind_id};
pub use view_generation::{
    Building, ChangeViewGeneration, ViewGeneration, ViewGenerationCommand, ViewGenerationError,
    ViewGenerationEvent, ViewGenerationState, platform_organization, view_generation_id,
};
