//! The platform's own aggregates: the generations of views.

mod view_generation;

pub use view_generation::{
    Building, ChangeViewGeneration, RequestRebuild, ViewGeneration, ViewGenerationCommand,
    ViewGenerationError, ViewGenerationEvent, ViewGenerationState, platform_organization, view_generation_id,
};
