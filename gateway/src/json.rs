//! Bodies: one JSON object in UTF-8, at most 256 KiB, nested at most 32 deep, with no field the operation does not know.
//!
//! Depth is counted over the bytes before anything recursive looks at them. A refusal names the field. What is too large
//! is read on for a while and thrown away, so that the client hears the answer instead of a broken connection.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use futures::StreamExt;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use vaultstream_event_schemas::ErrorCode;

use crate::error::{ApiError, In};

/// The largest body.
pub const MAX_BODY: usize = 256 * 1024;
/// The deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// How much of a body that is too large is read and thrown away before the connection is given up.
const MAX_DRAIN: usize = 16 * 1024 * 1024;

/// A checked body. An empty one reads as `{}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, MAX_BODY).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        check_media_type(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

/// Reads a body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut stream = body.into_data_stream();
    let mut first = match stream.next().await {
        None => return Ok(Bytes::new()),
        Some(chunk) => chunk.map_err(broken)?,
    };
    let mut more = Vec::new();
    let mut total = first.len();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(broken)?;
        total += chunk.len();
        if total <= limit {
            if more.is_empty() {
                more.extend_from_slice(&first);
                first = Bytes::new();
            }
            more.extend_from_slice(&chunk);
        } else if total > MAX_DRAIN {
            break;
        }
    }
    match (total > limit, more.is_empty()) {
        (true, _) => {
            Err(ApiError::new(ErrorCode::BodyTooLarge)
                .detail(format!("the body is larger than {limit} bytes")))
        }
        (false, true) => Ok(first),
        (false, false) => Ok(more.into()),
    }
}

fn broken(error: axum::Error) -> ApiError {
    ApiError::new(ErrorCode::InvalidJson)
        .detail("the body ended before it was complete")
        .caused_by(error)
}

/// Refuses a body that does not call itself JSON.
pub fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let given = if given.is_empty() {
        "no content type"
    } else {
        given
    };
    Err(ApiError::field(
        ErrorCode::UnsupportedMediaType,
        In::Request,
        "Content-Type",
        format!("got {given}"),
    ))
}

/// Reads one JSON object.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let invalid = |detail: &str| ApiError::new(ErrorCode::InvalidJson).detail(detail);
    if std::str::from_utf8(bytes).is_err() {
        return Err(invalid("the body is not valid UTF-8"));
    }
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(invalid("the body is not a JSON object"));
    }
    if depth(bytes) > MAX_DEPTH {
        return Err(invalid("the body is nested more than 32 deep"));
    }
    serde_json::from_slice(bytes).map_err(|error| refuse::<T>(bytes, &error))
}

/// How deep arrays and objects are nested, whether or not the bytes are JSON; never recurses.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in bytes {
        match (in_text, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    deepest
}

/// Says what is wrong. Only bad bodies come here, so reading them once more to learn the path costs nobody else.
fn refuse<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        let detail = format!(
            "the body is not JSON at line {} column {}",
            error.line(),
            error.column()
        );
        return ApiError::new(ErrorCode::InvalidJson).detail(detail);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => names(error.path()),
        Ok(_) => Vec::new(),
    };
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or("");
    let (code, name) = match (
        quoted(message, "unknown field `"),
        quoted(message, "missing field `"),
    ) {
        (Some(name), _) => (ErrorCode::UnknownField, Some(name)),
        (_, Some(name)) => (ErrorCode::MissingField, Some(name)),
        _ => (ErrorCode::InvalidField, quoted(message, "duplicate field `")),
    };
    let field = match name {
        Some(name) if path.last().map(String::as_str) == Some(name) => path.join("/"),
        Some(name) => path
            .iter()
            .map(String::as_str)
            .chain([name])
            .collect::<Vec<_>>()
            .join("/"),
        None => path.join("/"),
    };
    ApiError::field(code, In::Body, &field, message)
}

fn names(path: &Path) -> Vec<String> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message
        .strip_prefix(before)
        .and_then(|rest| rest.split('`').next())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;
    use vaultstream_client::{CreateVault, RegisterOrganization, RequestTransfer};

    use super::*;

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(body: impl AsRef<[u8]>) -> (ErrorCode, String) {
        let error = parse::<T>(body.as_ref()).expect_err("refused");
        (
            error.code(),
            error.fields().first().map_or(String::new(), |f| f.field.clone()),
        )
    }

    #[test]
    fn refusal_should_name_the_field() {
        let field = |body| refusal::<CreateVault>(body);
        assert_eq!(
            field(r#"{"name":"a","colour":1}"#),
            (ErrorCode::UnknownField, "colour".into())
        );
        assert_eq!(field("{}"), (ErrorCode::MissingField, "name".into()));
        assert_eq!(
            field(r#"{"name":"a","name":"b"}"#),
            (ErrorCode::InvalidField, "name".into())
        );
        assert_eq!(field(r#"{"name":5}"#), (ErrorCode::InvalidField, "name".into()));
        assert_eq!(
            field(r#"{"name":"a","chains":["x",7]}"#),
            (ErrorCode::InvalidField, "chains/1".into())
        );
        assert_eq!(
            field(r#"{"name":"a","tier":"tepid"}"#),
            (ErrorCode::InvalidField, "tier".into())
        );
        let nested = r#"{"name":"a","contact":{"email":"e","name":"n","fax":"1"}}"#;
        assert_eq!(
            refusal::<RegisterOrganization>(nested),
            (ErrorCode::UnknownField, "contact/fax".into())
        );
        let missing = r#"{"name":"a","contact":{"email":"e"}}"#;
        assert_eq!(
            refusal::<RegisterOrganization>(missing),
            (ErrorCode::MissingField, "contact/name".into())
        );
        let float = r#"{"asset":"a","amount":1.5,"destination":"d"}"#;
        assert_eq!(
            refusal::<RequestTransfer>(float),
            (ErrorCode::InvalidField, "amount".into())
        );
    }

    #[test]
    fn hostile_bodies_should_be_invalid_json() {
        let deep = format!("{{\"name\":{}", "[".repeat(10_000));
        let whole = format!("{{\"name\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let bodies: [&[u8]; 8] = [
            b"{\"name\":\"\xff\xfe\"}",
            b"[\"name\"]",
            b"\"name\"",
            b"{\"name\":\"a\"} {}",
            b"{\"name\":\"a\"",
            b"nul",
            deep.as_bytes(),
            whole.as_bytes(),
        ];
        for body in bodies {
            assert_eq!(
                refusal::<CreateVault>(body).0,
                ErrorCode::InvalidJson,
                "{}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn depth_should_not_count_brackets_in_text() {
        assert_eq!(depth(br#"{"a":"[[[[\"[[","b":[{}]}"#), 3);
        assert_eq!(depth(b"]]]]{"), 1);
    }

    #[tokio::test]
    async fn body_should_be_read_up_to_its_limit() {
        let exact = read(Body::from(vec![b'x'; 10]), 10).await.expect("fits");
        assert_eq!(exact.len(), 10);
        let error = read(Body::from(vec![b'x'; 11]), 10).await.expect_err("too large");
        assert_eq!(error.code(), ErrorCode::BodyTooLarge);
        let chunks = futures::stream::iter((0..4).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 3])));
        assert_eq!(read(Body::from_stream(chunks), 12).await.expect("fits").len(), 12);
    }

    proptest! {
        #[test]
        fn garbage_should_be_refused_not_panic(bytes: Vec<u8>) {
            let _ = parse::<RequestTransfer>(&bytes);
        }
    }
}
