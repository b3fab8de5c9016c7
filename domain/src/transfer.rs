//! Transfers: the intent to move money once, from request to outcome.

mod command;
mod decide;
mod error;
mod event;
mod state;
#[cfg(test)]
mod tests;
mod use_cases;

pub use command::TransferCommand;
pub use error::TransferError;
pub use event::TransferEvent;
pub use state::TransferState;
pub use use_cases::{ChangeTransfer, RequestTransfer, StartExecution, execution_id};

/// The Transfer aggregate.
pub struct Transfer;
