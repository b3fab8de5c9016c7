//! Why a read is refused: a stable code, a sentence, and where a caller sent something wrong, its name.
//!
//! Every error of an answer ends with the extensions `code`, `remedy`, `requestId`, `retryable` and, when known,
//! `field`. What is not one of our refusals is logged once and leaves as `internal` without its text: engines' words
//! are not for callers.

use async_graphql::{Response, ServerError, Value};
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::keyring::KeyringError;
use vaultstream_domain::ports::view_store::ViewStoreError;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::error_code::Retry;
use vaultstream_event_schemas::token::TokenError;
use vaultstream_projectors::read::ReadError;

use crate::observer::{Fact, Observer};

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

/// Gives every error of an answer its extensions, and tells of it.
pub fn finish(response: &mut Response, request_id: &str, observer: &dyn Observer) {
    for error in &mut response.errors {
        observer.observe(Fact::Refused(finish_error(error, request_id)));
    }
}

/// Gives one error its extensions; answers its code.
pub fn finish_error(error: &mut ServerError, request_id: &str) -> ErrorCode {
    let (code, field, after) = match error.source::<Refusal>() {
        Some(refusal) => (refusal.code, refusal.field.clone(), refusal.after.clone()),
        None => (classify(error, request_id), None, None),
    };
    let extensions = error.extensions.get_or_insert_with(Default::default);
    extensions.set("code", code.as_str());
    extensions.set("remedy", code.remedy());
    extensions.set("requestId", request_id);
    extensions.set("retryable", Value::Boolean(code.retry() != Retry::Never));
    if let Some(field) = field {
        extensions.set("field", field);
    }
    if let Some(after) = after {
        extensions.set("after", after);
    }
    code
}

/// The code of an error that async-graphql made: without a source it is about the document or its variables; with a
/// source it came out of a resolver and its text stays here.
fn classify(error: &mut ServerError, request_id: &str) -> ErrorCode {
    if error.source.is_some() {
        tracing::error!(request_id, message = %error.message, "a resolver failed");
        ErrorCode::Internal.title().clone_into(&mut error.message);
        return ErrorCode::Internal;
    }
    if error.message == "Query is too complex." {
        return ErrorCode::QueryTooComplex;
    }
    error.message.truncate(floor_char(&error.message, 512));
    ErrorCode::QueryInvalid
}

fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(error: &ServerError, name: &str) -> Option<String> {
        let value = error.extensions.as_ref()?.get(name)?.clone();
        value.into_json().ok()?.as_str().map(str::to_owned)
    }

    #[test]
    fn refusal_should_carry_code_field_and_remedy() {
        let mut error = async_graphql::Error::from(Refusal::field("first", "first is 1 to 200"))
            .into_server_error(async_graphql::Pos::default());
        finish_error(&mut error, "req-1");
        assert_eq!(extension(&error, "code").as_deref(), Some("invalid-field"));
        assert_eq!(extension(&error, "field").as_deref(), Some("first"));
        assert_eq!(extension(&error, "requestId").as_deref(), Some("req-1"));
        assert_eq!(error.message, "first is 1 to 200");
    }

    #[test]
    fn foreign_errors_should_never_show_their_words() {
        let mut error = async_graphql::Error::from(std::io::Error::other("/var/secret is full"))
            .into_server_error(async_graphql::Pos::default());
        finish_error(&mut error, "req-2");
        assert_eq!(extension(&error, "code").as_deref(), Some("internal"));
        assert!(!error.message.contains("secret"));
    }

    #[test]
    fn long_messages_should_be_cut_at_a_character() {
        let mut error = ServerError::new("é".repeat(2_000), None);
        finish_error(&mut error, "req-3");
        assert!(error.message.len() <= 512);
        assert_eq!(extension(&error, "code").as_deref(), Some("query-invalid"));
    }
}
