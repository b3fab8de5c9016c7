//! `GET /graphql/ws`: subscriptions over the sub-protocol `graphql-transport-ws`, and no other.
//!
//! A socket may stay silent for three seconds before `connection_init`, is pinged every twenty, and ends within a second
//! of its credential. What is written is awaited, so a slow client slows its own streams and nobody else's; the hub
//! conflates or resumes for it. Close codes: 4400 not understood, 4401 no credential or revoked, 4408 no init in time,
//! 4409 operation id in use, 4429 too much, 1012 the process restarts, 1011 our fault.
//!
//! A process that drains answers new sockets with 503 `restarting` and `Retry-After`. Open ones go on for a notice and a
//! random part of a spread; then their operations are completed and they are closed with 1012, so that clients come back
//! one after another, to another process, and resume with `after`.

mod message;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::{ApiError, RequestInfo};

use crate::limits;
use crate::router::Parts;

pub use message::Heard;

/// The sub-protocol.
pub const PROTOCOL: &str = "graphql-transport-ws";
/// How long a client may take to introduce itself.
pub const INIT_WITHIN: Duration = Duration::from_secs(3);
/// How often a client is pinged; two pings without a sign of life end the socket.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long one message may take to be taken by the client.
pub const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Operations of one socket.
pub const MAX_OPERATIONS: usize = 32;
/// Messages a client may send in a second.
pub const MAX_MESSAGES: u32 = 100;
/// What a socket reads at once. It is held for as long as the socket lives and cleared before every read, so it is as
/// small as what clients send between two items: a `ping`, a `complete`. A longer message takes several reads.
const READ_BUFFER: usize = 4 << 10;
/// The longest operation id.
pub const MAX_ID: usize = 128;

/// Opens a socket.
pub async fn upgrade(State(parts): State<Arc<Parts>>, request: Request) -> Result<Response, ApiError> {
    let (mut head, _) = request.into_parts();
    let info = head.extensions.get::<RequestInfo>().cloned();
    let info = info.ok_or_else(|| ApiError::new(ErrorCode::Internal).detail("the edge is not in place"))?;
    if parts.services.drain.has_begun() {
        return Err(ApiError::new(ErrorCode::Restarting).retry_after(1));
    }
    let refused = |detail: String| ApiError::new(ErrorCode::QueryInvalid).detail(detail);
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &())
        .await
        .map_err(|rejection| refused(rejection.body_text()))?
        .protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(refused(format!(
            "offer the sub-protocol {PROTOCOL} in Sec-WebSocket-Protocol"
        )));
    }
    let principal = parts
        .door
        .admit_upgrade(&head.headers, &info)
        .await?
        .map(Arc::new);
    let upgrade = upgrade
        .max_message_size(limits::MAX_BODY)
        .max_frame_size(limits::MAX_BODY)
        .read_buffer_size(READ_BUFFER)
        .max_write_buffer_size(1024 * 1024)
        .on_failed_upgrade(|error| tracing::debug!(%error, "an upgrade failed"));
    let drain = parts.services.drain.clone();
    Ok(upgrade.on_upgrade(move |socket| drain.hold(session::run(parts, info, principal, socket))))
}
