//! Executions: the on-chain life of intents, and the slots of the accounts that pay for them.
//!
//! An execution spends from exactly one account and lives in its shard. Its attempts share one slot, so they exclude
//! each other on chain. A slot value (nonce) is given at *bind*, in order, so an abandoned plan never leaves a gap
//! below bound ones; what *reserve* commits is money.

mod command;
mod decide;
mod error;
mod event;
mod lost;
mod observe_balance;
mod slots;
mod state;
#[cfg(test)]
mod tests;
mod use_cases;

pub use command::ExecutionCommand;
pub use error::ExecutionError;
pub use event::ExecutionEvent;
pub use lost::{LostSlot, MAX_LOST, MAX_LOST_AT_ONCE, RecordLostSlots};
pub use observe_balance::ObserveBalance;
pub use slots::{MAX_ENTRIES, SlotEntry, Slots, SlotsCommand, SlotsError, SlotsEvent, SlotsState, spendable};
pub use state::{Attempt, ExecutionState, Inclusion};
pub use use_cases::{
    AbandonExecution, BindSlot, ExecutionScope, FinalizeExecution, RecordExecution, ReserveFunds,
    ReverseExecution,
};

/// The Execution aggregate.
pub struct Execution;
