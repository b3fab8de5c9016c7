//! The extensions that every error of an answer ends with.

use async_graphql::{Response, ServerError, Value};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::error_code::Retry;

use super::Refusal;
use crate::observer::{Fact, Observer};

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
