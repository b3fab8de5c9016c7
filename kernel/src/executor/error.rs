//! Why a command was not done.

use std::sync::Arc;

use vaultstream_domain::DomainError;
use vaultstream_domain::error::Coded;
use vaultstream_event_schemas::upcast::NotYet;
use vaultstream_event_schemas::{ErrorCode, StreamId};

use crate::load::LoadError;

/// Why a command was not done. Except where it says otherwise, nothing of it was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The domain refuses, on a durable state.
    #[error(transparent)]
    Refused(#[from] DomainError),
    /// A stream the use case creates exists already.
    #[error("{0} exists already")]
    Exists(StreamId),
    /// The queue stayed full, or too many waited for it already.
    #[error("more commands wait than are taken; send again shortly")]
    Overloaded,
    /// Others kept changing the same streams.
    #[error("decided {0} times, and each time another command came first")]
    Contention(u32),
    /// The shard's clock runs more than a minute ahead.
    #[error("the event log's clock is more than a minute ahead of this process")]
    ClockAhead,
    /// The log did not give the states the decision needs.
    #[error("the states could not be loaded")]
    Load(#[source] Arc<LoadError>),
    /// The log failed for as long as it was asked. The command may still have become durable: sent again with the same
    /// id, it finds its effect or has it then.
    #[error("the event log does not answer; the command may have become durable")]
    Log(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A process lives that would not read what was decided.
    #[error(transparent)]
    NotYet(#[from] NotYet),
    /// The use case breaks the rules of use cases.
    #[error("use case {use_case} is not well made: {fault}")]
    Faulty {
        /// Its name.
        use_case: &'static str,
        /// Which rule.
        fault: String,
    },
    /// The use case panicked.
    #[error("use case {0} panicked")]
    Panicked(&'static str),
    /// The process is ending.
    #[error("this process is ending and takes no more commands")]
    Stopped,
    /// The executor ended with the command in hand; it may have become durable.
    #[error("the executor ended before it could answer; the command may have become durable")]
    Lost,
}

impl Coded for ExecuteError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(error) => error.code(),
            Self::Exists(_) => ErrorCode::AlreadyExists,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::Stopped => ErrorCode::Restarting,
            Self::NotYet(_) => ErrorCode::UpgradeInProgress,
            Self::Contention(_) => ErrorCode::Contention,
            Self::ClockAhead => ErrorCode::ClockSkew,
            Self::Load(error) => match **error {
                LoadError::Log(_) => ErrorCode::StorageUnavailable,
                LoadError::Unreadable { .. } | LoadError::Broken(_) => ErrorCode::EventUnreadable,
            },
            Self::Log(_) => ErrorCode::StorageUnavailable,
            Self::Faulty { .. } | Self::Panicked(_) => ErrorCode::Internal,
            Self::Lost => ErrorCode::Timeout,
        }
    }

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Refused(error) => error.field(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_errors_should_say_so_and_how_to_learn_the_outcome() {
        let log = ExecuteError::Log(Arc::new(std::io::Error::other("the disk is full")));
        for error in [log, ExecuteError::Lost] {
            assert!(error.to_string().contains("may have become durable"), "{error}");
            let remedy = error.code().remedy();
            assert!(remedy.contains("same Idempotency-Key"), "{error}: {remedy}");
            assert!(!remedy.contains("nothing was"), "{error}: {remedy}");
        }
    }

    #[test]
    fn errors_before_an_append_should_not_raise_doubt() {
        for error in [
            ExecuteError::Overloaded,
            ExecuteError::Contention(16),
            ExecuteError::ClockAhead,
            ExecuteError::Stopped,
            ExecuteError::Panicked("test.case"),
        ] {
            assert!(!error.to_string().contains("durable"), "{error}");
        }
    }
}
