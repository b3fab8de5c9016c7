//! The platform's own aggregates: the generations of views.

mod requests;
mod view_generation;

pub use requests::{AskOfView, Wish};
pub use view_generation::{
    Building, ChangeViewGeneration, ViewGeneration, ViewGenerationCommand, ViewGenerationError,
    ViewGenerationEvent, ViewGenerationState, platform_organization, view_generation_id,
};
