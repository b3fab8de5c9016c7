//! Why a read is refused: a stable code, a sentence, and where a caller sent something wrong, its name.
//!
//! Every error of an answer ends with the extensions `code`, `remedy`, `requestId`, `retryable` and, when known,
//! `field`. What is not one of our refusals is logged once and leaves as `internal` without its text: engines' words
//! are not for callers.

mod answer;
mod source;

use vaultstream_event_schemas::ErrorCode;

pub use answer::{finish, finish_error};
pub use source::token;

/// A refusal that a caller understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The stable code.
    pub code: ErrorCode,
    /// What happened, in a sentence.
    pub detail: String,
    /// The argument or field that led to it, in the API's words.
    pub field: Option<String>,
    /// Where a closed subscription goes on: what `after` takes.
    pub after: Option<String>,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            after: None,
        }
    }

    /// A refusal in the words of its code.
    pub fn of(code: ErrorCode) -> Self {
        Self::new(code, code.title())
    }

    /// A value that cannot be taken.
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::new(ErrorCode::InvalidField, detail)
        }
    }

    /// There is no such thing among the caller's own; a stranger's id looks the same as one that never was.
    pub fn not_found(field: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::of(ErrorCode::NotFound)
        }
    }

    /// The same refusal, saying where the subscription goes on.
    #[must_use]
    pub fn resumable(self, cursor: String) -> Self {
        Self {
            after: Some(cursor),
            ..self
        }
    }
}
