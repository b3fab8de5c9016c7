//! The Organization aggregate: the tenant that every other aggregate names.

mod command;
mod decide;
mod error;
mod event;
mod state;
#[cfg(test)]
mod tests;

pub use command::OrganizationCommand;
pub use error::OrganizationError;
pub use event::OrganizationEvent;
pub use state::{OrganizationState, PersonalData};

/// The Organization aggregate.
pub struct Organization;
