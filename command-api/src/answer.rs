//! Answers to commands: the resource, its ETag, where the command is asked after, and a consistency token.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use vaultstream_client::{CHECKPOINT_HEADER, TOKEN_HEADER};
use vaultstream_event_schemas::{CommandId, ErrorCode};
use vaultstream_gateway::ApiError;
use vaultstream_kernel::NewestCheckpoint;

use crate::prefer::Wait;

/// The header that names the command in every answer to one.
pub(crate) const COMMAND_HEADER: HeaderName = HeaderName::from_static("vaultstream-command");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Names the newest checkpoint in a 202: what the answer promises is in the log, and is in this checkpoint or in one after
/// it. Who keeps it can show later that the log was cut.
pub(crate) async fn name_checkpoint(
    State(newest): State<NewestCheckpoint>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::ACCEPTED
        && let Some(newest) = newest.get()
        && let Ok(name) = HeaderValue::from_str(&newest.name.to_string())
    {
        let header = HeaderName::from_static(CHECKPOINT_HEADER);
        response.headers_mut().insert(header, name);
    }
    response
}

/// The head of an answer.
#[derive(Debug, Default)]
pub(crate) struct Head<'a> {
    pub status: StatusCode,
    pub command: Option<CommandId>,
    pub token: Option<&'a str>,
    pub location: Option<String>,
    pub version: Option<u64>,
    pub replayed: bool,
    pub waited: Option<Wait>,
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
    put(
        headers,
        PREFERENCE_APPLIED,
        head.waited.map(|wait| wait.to_string()).as_deref(),
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
