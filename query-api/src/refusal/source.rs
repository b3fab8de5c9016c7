//! What a refusal comes from: the words of engines stay in our log, those about an argument go out with its name.

use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::keyring::KeyringError;
use vaultstream_domain::ports::view_store::ViewStoreError;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::token::TokenError;
use vaultstream_projectors::read::ReadError;

use super::Refusal;

impl From<ViewStoreError> for Refusal {
    fn from(error: ViewStoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a view does not answer");
        Self::of(ErrorCode::StorageUnavailable)
    }
}

impl From<KeyringError> for Refusal {
    fn from(error: KeyringError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a sealed value does not open"
        );
        Self::of(ErrorCode::StorageUnavailable)
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the log does not answer"
        );
        match error {
            LogError::Damaged { .. } => Self::of(ErrorCode::EventUnreadable),
            _ => Self::of(ErrorCode::StorageUnavailable),
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let named = |code, field: &str| Self {
            field: Some(field.to_owned()),
            ..Self::new(code, error.to_string())
        };
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Log(error) => error.into(),
            ReadError::Cursor => named(ErrorCode::CursorInvalid, "after"),
            ReadError::Narrow { .. } => named(ErrorCode::InvalidField, "sort"),
            ReadError::Behind(_) => named(ErrorCode::ReadModelBehind, "atLeast"),
            ReadError::OtherLife { .. } => named(ErrorCode::TokenInvalid, "atLeast"),
            ReadError::Damaged { .. } => {
                tracing::error!(error = &error as &dyn std::error::Error, "a view is damaged");
                Self::of(ErrorCode::Internal)
            }
        }
    }
}

/// A token or cursor that does not open, as the argument it came in.
pub fn token(code: ErrorCode, field: &str, error: TokenError) -> Refusal {
    Refusal {
        field: Some(field.to_owned()),
        ..Refusal::new(code, error.to_string())
    }
}
