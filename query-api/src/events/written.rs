//! Events as they are written: pages, lines, frames of a stream. An event has one shape everywhere, that of the topics.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use vaultstream_client::EventPage;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::token::{MacKey, Positions};
use vaultstream_gateway::ApiError;

use super::scan::Page;
use crate::hub::seal_cursor;

/// Where the next page of lines begins, while there is more.
pub const NEXT_CURSOR: HeaderName = HeaderName::from_static("vaultstream-next-cursor");
/// Where a later read goes on.
pub const CURSOR: HeaderName = HeaderName::from_static("vaultstream-cursor");

fn unwritable(error: serde_json::Error) -> ApiError {
    ApiError::new(ErrorCode::Internal).caused_by(error)
}

/// A page as JSON.
pub fn page_answer(mac: &MacKey, page: Page) -> EventPage {
    let cursor = seal_cursor(mac, &page.cursor);
    EventPage {
        items: page.events.into_iter().map(Into::into).collect(),
        next_cursor: page.has_more.then(|| cursor.clone()),
        cursor,
    }
}

/// A page as lines, with its cursors in headers.
pub fn lines(mac: &MacKey, page: &Page, media_type: &'static str) -> Result<Response, ApiError> {
    let mut body = Vec::new();
    for event in &page.events {
        serde_json::to_writer(&mut body, event).map_err(unwritable)?;
        body.push(b'\n');
    }
    let cursor = HeaderValue::from_str(&seal_cursor(mac, &page.cursor))
        .map_err(|error| ApiError::new(ErrorCode::Internal).caused_by(error))?;
    let media_type = HeaderValue::from_static(media_type);
    let mut response = ([(header::CONTENT_TYPE, media_type)], body).into_response();
    if page.has_more {
        response.headers_mut().insert(NEXT_CURSOR, cursor.clone());
    }
    response.headers_mut().insert(CURSOR, cursor);
    Ok(response)
}

/// Moves a cursor behind an event.
pub fn cursor_after(cursor: &mut Positions, event: &PublicEvent) {
    if let Some(place) = cursor.0.get_mut(&event.shard) {
        place.position = place.position.max(event.position);
    }
}

/// The events of a page as frames of a stream, each with the cursor behind it, which starts at `before`; at the end the
/// cursor behind everything that was passed over.
pub fn frames(mac: &MacKey, before: &Positions, page: &Page) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    let mut cursor = before.clone();
    for (n, event) in page.events.iter().enumerate() {
        // several events of one place are passed with the last of them
        let is_last = page
            .events
            .get(n + 1)
            .is_none_or(|next| (next.shard, next.position) != (event.shard, event.position));
        if is_last {
            cursor_after(&mut cursor, event);
            id(&mut out, mac, &cursor);
        }
        out.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut out, event)?;
        out.extend_from_slice(b"\n\n");
    }
    if cursor != page.cursor || page.events.is_empty() {
        // a frame without data is not an event, but where the client goes on after a cut
        id(&mut out, mac, &page.cursor);
        out.push(b'\n');
    }
    Ok(out)
}

fn id(out: &mut Vec<u8>, mac: &MacKey, cursor: &Positions) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(seal_cursor(mac, cursor).as_bytes());
    out.push(b'\n');
}
