//! Answers to commands: the resource, its ETag, where the command is asked after, and a consistency token.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use vaultstream_client::TOKEN_HEADER;
use vaultstream_event_schemas::{CommandId, ErrorCode};
use vaultstream_gateway::ApiError;

/// The header that names the command in every answer to one.
pub(crate) const COMMAND_HEADER: HeaderName = HeaderName::from_static("vaultstream-command");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The head of an answer.
#[derive(Debug, Default)]
pub(crate) struct Head<'a> {
    pub status: StatusCode,
    pub command: Option<CommandId>,
    pub token: Option<&'a str>,
    pub location: Option<String>,
    pub version: Option<u64>,
    pub replayed: bool,
}

/// A JSON answer under a head.
pub(crate) fn answer<T: Serialize>(head: &Head<'_>, body: &T) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(body).map_err(|e| ApiError::new(ErrorCode::Internal).caused_by(e))?;
    let mut response = (head.status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(headers, HeaderName::from_static(TOKEN_HEADER), head.token);
    put(headers, header::LOCATION, head.location.as_deref());
    put(
        headers,
        COMMAND_HEADER,
        head.command.map(|c| c.to_string()).as_deref(),
    );
    put(
        headers,
        header::ETAG,
        head.version.map(|v| format!("\"{v}\"")).as_deref(),
    );
    if head.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
        headers.insert(name, value);
    }
}

/// How many seconds the client would rather wait than hear of something half done: `Prefer: wait=…`, at most 30.
pub(crate) fn preferred_wait_ms(headers: &HeaderMap) -> u64 {
    let prefers = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
    let waits = prefers
        .flat_map(|v| v.split(','))
        .filter_map(|p| p.trim().strip_prefix("wait="));
    waits
        .filter_map(|seconds| seconds.trim().parse::<u64>().ok())
        .next()
        .map_or(0, |s| s.min(30) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_should_be_read_and_bounded() {
        let wait = |text: &'static str| {
            preferred_wait_ms(&HeaderMap::from_iter([(
                HeaderName::from_static("prefer"),
                HeaderValue::from_static(text),
            )]))
        };
        assert_eq!(wait("wait=5"), 5_000);
        assert_eq!(wait("respond-async, wait=10"), 10_000);
        assert_eq!(wait("wait=9999"), 30_000);
        assert_eq!(wait("wait=-1"), 0);
        assert_eq!(preferred_wait_ms(&HeaderMap::new()), 0);
    }
}
