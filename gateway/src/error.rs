//! A refusal on its way out: a stable code, what happened this time, and the fields that led to it.
//!
//! As a response it is only a status and itself as an extension; the edge, which knows the request, writes the body. So
//! handlers cannot answer a refusal in any other form. Sources are logged at the edge, once, and never shown.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use vaultstream_client::FieldProblem;
use vaultstream_domain::DomainError;
use vaultstream_domain::error::Coded;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::keyring::KeyringError;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::upcast::UpcastError;

/// Where a named field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum In {
    /// In the body: the field also gets a JSON pointer.
    Body,
    /// In a header, the path or the query.
    Request,
}

/// The most bytes of a refusal's words and of a field's name: they may repeat what a stranger sent.
const MAX_WORDS: usize = 1_024;
const MAX_NAME: usize = 256;

/// A text cut behind a whole character.
fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

#[derive(Debug, Clone)]
struct Inner {
    code: ErrorCode,
    detail: Option<String>,
    fields: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// A refusal.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Inner>);

impl ApiError {
    /// A refusal with a code, whose title says all there is to say.
    pub fn new(code: ErrorCode) -> Self {
        Self(Box::new(Inner {
            code,
            detail: None,
            fields: Vec::new(),
            headers: Vec::new(),
            source: None,
        }))
    }

    /// A refusal because of one field.
    pub fn field(code: ErrorCode, place: In, field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut error = Self::new(code).detail(detail.clone());
        error.add_field(code, place, field, detail);
        error
    }

    /// One refusal for several, each with its fields; the first one's code and detail lead.
    pub fn all(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        for error in errors {
            first.0.fields.extend(error.0.fields);
        }
        Some(first)
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(short(detail.into(), MAX_WORDS));
        self
    }

    /// Adds a field that led to the refusal.
    pub fn add_field(&mut self, code: ErrorCode, place: In, field: &str, detail: impl Into<String>) {
        let field = short(field.to_owned(), MAX_NAME);
        let pointer = (place == In::Body).then(|| format!("/{}", field.trim_start_matches('/')));
        self.0.fields.push(FieldProblem {
            field,
            pointer,
            code,
            detail: short(detail.into(), MAX_WORDS),
        });
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Asks to come back after some seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(http::header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Keeps what led to it, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }
    /// What happened this time; the title when nothing more is known.
    pub fn detail_text(&self) -> &str {
        self.0.detail.as_deref().unwrap_or_else(|| self.0.code.title())
    }
    /// The fields that led to it.
    pub fn fields(&self) -> &[FieldProblem] {
        &self.0.fields
    }
    /// Headers of the answer.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }
    /// The chain of causes, outermost first, in one line; empty when there is none.
    pub fn causes(&self) -> String {
        let mut text = String::new();
        let mut next = self.0.source.as_deref().map(|e| e as &dyn Error);
        while let Some(error) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Fields that the domain names but that travel in headers.
const HEADER_FIELDS: [&str; 2] = ["If-Match", "Idempotency-Key"];

impl From<DomainError> for ApiError {
    fn from(error: DomainError) -> Self {
        let code = error.code();
        let detail = error.to_string();
        match error.field() {
            Some(field) if HEADER_FIELDS.contains(&field) => Self::field(code, In::Request, field, detail),
            Some(field) => Self::field(code, In::Body, field, detail),
            None => Self::new(code).detail(detail),
        }
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        let code = match error {
            LogError::Damaged { .. } => ErrorCode::EventUnreadable,
            LogError::Malformed(_) => ErrorCode::Internal,
            LogError::Engine { .. } | LogError::Incarnation { .. } => ErrorCode::StorageUnavailable,
        };
        Self::new(code).caused_by(error)
    }
}

impl From<UpcastError> for ApiError {
    fn from(error: UpcastError) -> Self {
        Self::new(ErrorCode::EventUnreadable).caused_by(error)
    }
}

impl From<KeyringError> for ApiError {
    fn from(error: KeyringError) -> Self {
        let code = match error {
            KeyringError::Erased(_) => ErrorCode::SubjectErased,
            _ => ErrorCode::StorageUnavailable,
        };
        Self::new(code).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_domain::organization::ClaimError;

    use super::*;

    #[test]
    fn words_of_strangers_should_be_cut_at_a_character() {
        let long = "é".repeat(100_000);
        let error = ApiError::field(ErrorCode::UnknownField, In::Body, &long, long.as_str());
        let field = &error.fields()[0];
        assert!(error.detail_text().len() < 1_100 && field.detail.len() < 1_100);
        assert!(field.field.len() < 300 && field.pointer.as_ref().is_some_and(|p| p.len() < 300));
        assert!(error.detail_text().ends_with("é…"));
    }

    #[test]
    fn domain_refusal_should_keep_code_field_and_place() {
        let header: ApiError = DomainError::from(ClaimError::KeyReused("trf_1".into())).into();
        assert_eq!(header.code(), ErrorCode::IdempotencyKeyReused);
        assert_eq!(header.fields()[0].field, "Idempotency-Key");
        assert_eq!(header.fields()[0].pointer, None);
        let body: ApiError = DomainError::from(ClaimError::ExternalIdTaken("trf_1".into())).into();
        assert_eq!(body.fields()[0].pointer.as_deref(), Some("/externalId"));
        assert!(body.detail_text().contains("trf_1"));
    }

    #[test]
    fn several_refusals_should_become_one_with_all_fields() {
        let one = |field| ApiError::field(ErrorCode::InvalidField, In::Body, field, "wrong");
        let all = ApiError::all(vec![one("a"), one("b")]).expect("two");
        assert_eq!(
            all.fields().iter().map(|f| f.field.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert!(ApiError::all(vec![]).is_none());
    }

    #[test]
    fn causes_should_read_as_one_line() {
        let io = std::io::Error::other("disk full");
        let log = LogError::Engine {
            doing: "append",
            source: Box::new(io),
        };
        let error: ApiError = log.into();
        assert_eq!(error.code(), ErrorCode::StorageUnavailable);
        assert_eq!(error.causes(), "the event log cannot append: disk full");
        assert!(
            !error.detail_text().contains("disk"),
            "the inside is not shown to callers"
        );
    }
}
