//! What can be asked of a transfer.

use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{ExecutionId, Grounds, Timestamp};

/// What can be asked of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferCommand {
    /// Request it.
    Request(v1::Requested),
    /// Record what screening and policy say.
    RecordScreening(v1::Screened),
    /// Approve it, as the actor of the command.
    Approve {
        /// The time of the decision.
        now: Timestamp,
    },
    /// Deny it, as the actor of the command.
    Deny {
        /// Why.
        reason: String,
    },
    /// Withdraw it.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Let it lapse when its deadline has passed.
    Expire {
        /// The time of the check.
        now: Timestamp,
    },
    /// Hand it to an execution.
    StartExecution {
        /// The execution.
        execution: ExecutionId,
    },
    /// Record that it is final on chain.
    Complete(v1::Completed),
    /// Record that it ended without moving its money.
    Fail(v1::Failed),
    /// Have the key of its memo destroyed.
    EraseMemo {
        /// On what grounds.
        grounds: Grounds,
    },
    /// Record that its chain undid it.
    Reverse(v1::Reversed),
}
