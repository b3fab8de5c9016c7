//! Why an execution refuses.

use vaultstream_event_schemas::{ErrorCode, ExecutionStatus};

use crate::error::Coded;

/// Why an execution refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// It exists already with other contents.
    #[error("the execution exists already")]
    AlreadyQueued,
    /// It does not exist.
    #[error("there is no such execution")]
    Unknown,
    /// Its state does not allow this.
    #[error("the execution is {0}")]
    WrongStatus(ExecutionStatus),
    /// The transaction is none of its attempts.
    #[error("transaction {0} is no attempt of this execution")]
    ForeignTransaction(String),
    /// The proof does not prove it.
    #[error(
        "something was signed for this execution; only its slot's consumption by another final transaction proves it dead"
    )]
    NoProof,
    /// The digest differs from the bound one.
    #[error("the plan differs from the bound one")]
    PlanChanged,
}

impl Coded for ExecutionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyQueued => ErrorCode::AlreadyExists,
            Self::Unknown => ErrorCode::NotFound,
            Self::WrongStatus(_) | Self::ForeignTransaction(_) | Self::NoProof | Self::PlanChanged => {
                ErrorCode::StateConflict
            }
        }
    }
}
