//! A stream of events: the log page by page to its end, and then whatever is appended.
//!
//! A stream never waits for its client longer than [`SEND_WITHIN`]; it holds one page in memory. It wakes when the hub has
//! handed something out, and at least every [`LOOK_EVERY`] whatever the hub does, so that views that stand still do not
//! hold up the log. It beats every [`BEAT_EVERY`]. It ends with its credential, and when the process drains; the client
//! comes back with the id of the last event it saw, to any process.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use vaultstream_gateway::{ApiError, Principal, RequestInfo};

use super::question::{Asked, as_api_error};
use super::record::{Seen, Who};
use super::scan::{Page, page};
use super::written::frames;
use super::{Events, Place};
use crate::refusal::Refusal;

/// Events read at once.
const PAGE: usize = 200;
/// How long a client may take to take what is sent.
pub const SEND_WITHIN: Duration = Duration::from_secs(10);
/// How often the log is looked at when the hub says nothing.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a stream rests before it looks again, so that a busy log is read in pages.
const REST: Duration = Duration::from_millis(25);
/// How often something is sent when nothing happens.
pub const BEAT_EVERY: Duration = Duration::from_secs(15);
/// How soon a client shall come back after a cut, in milliseconds.
const RETRY: &[u8] = b"retry: 1000\n\n";

struct Streaming {
    events: Events,
    who: Who,
    asked: Asked,
    sender: mpsc::Sender<Bytes>,
    _place: Place,
}

/// Why a stream ends.
enum End {
    /// All that was asked for was sent.
    Complete,
    /// The client went away, or takes too long.
    Gone,
    /// The log could not be read, or a read not put on record.
    Failed(Refusal),
}

/// Opens a stream; one that has nothing to say until its end is no stream, so that browsers do not come back for ever.
pub async fn open_stream(
    events: &Events,
    principal: Arc<Principal>,
    info: &RequestInfo,
    asked: Asked,
) -> Result<Response, ApiError> {
    let place = events.take_place(principal.credential())?;
    let who = Who::new(&principal, info);
    if asked.is_audit {
        events
            .recorder
            .read(&who, &asked.question, 1, Seen::default())
            .await?;
    }
    if asked.question.until.is_some() {
        let first = page(&events.services, &asked.question, &asked.cursor, 1).await;
        let first = first.map_err(as_api_error)?;
        if first.events.is_empty() && !first.has_more {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let (sender, receiver) = mpsc::channel(2);
    let streaming = Streaming {
        events: events.clone(),
        who,
        asked,
        sender,
        _place: place,
    };
    let drain = events.services.drain.clone();
    let turn = {
        let (drain, request) = (drain.clone(), info.id.to_string());
        async move { drain.turn_of(&request).await }
    };
    let credentials = events.credentials.clone();
    let task = async move {
        let client = streaming.sender.clone();
        tokio::select! {
            biased;
            () = credentials.until_revoked(&principal) => {}
            () = turn => {}
            () = client.closed() => {}
            end = streaming.run() => tell(end, &client).await,
        }
    };
    events.spawn.spawn("event_stream", Box::pin(drain.hold(task)));
    let body = ReceiverStream::new(receiver).map(Ok::<_, Infallible>);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(super::accept::EVENT_STREAM),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // proxies that gather answers would hold events back
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

async fn tell(end: End, client: &mpsc::Sender<Bytes>) {
    if let End::Failed(refusal) = end {
        tracing::warn!(%refusal, "a stream of events ends");
        let told = format!(
            "event: problem\ndata: {{\"code\":\"{}\"}}\n\n",
            refusal.code.as_str()
        );
        // a client that takes nothing more learns from the end of the stream
        let _ = timeout(Duration::from_secs(1), client.send(told.into())).await;
    }
}

impl Streaming {
    async fn run(mut self) -> End {
        match self.stream().await {
            Ok(end) => end,
            Err(refusal) => End::Failed(refusal),
        }
    }

    async fn stream(&mut self) -> Result<End, Refusal> {
        let mut moved = self.events.services.hub.moved();
        let mut spoken = Instant::now();
        let mut told = self.asked.cursor.clone();
        if !self.send(Bytes::from_static(RETRY)).await {
            return Ok(End::Gone);
        }
        loop {
            moved.mark_unchanged();
            let page = page(
                &self.events.services,
                &self.asked.question,
                &self.asked.cursor,
                PAGE,
            )
            .await?;
            let is_due = spoken.elapsed() >= BEAT_EVERY;
            // how far it has come without an event rides on the next one, or on the next beat
            if !page.events.is_empty() || (is_due && told != page.cursor) {
                self.record(&page).await?;
                let frames =
                    frames(&self.events.services.mac, &self.asked.cursor, &page).map_err(|error| {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "an event cannot be written"
                        );
                        Refusal::of(vaultstream_event_schemas::ErrorCode::Internal)
                    })?;
                if !self.send(frames.into()).await {
                    return Ok(End::Gone);
                }
                spoken = Instant::now();
                told.clone_from(&page.cursor);
            }
            self.asked.cursor = page.cursor;
            if page.has_more {
                continue;
            }
            if self.asked.question.until.is_some() {
                return Ok(End::Complete);
            }
            if spoken.elapsed() >= BEAT_EVERY {
                if !self.send(Bytes::from_static(b":\n\n")).await {
                    return Ok(End::Gone);
                }
                spoken = Instant::now();
            }
            sleep(REST).await;
            // a hub that is gone wakes nobody; the log is looked at all the same
            let _ = timeout(LOOK_EVERY, moved.changed()).await;
        }
    }

    async fn record(&self, page: &Page) -> Result<(), Refusal> {
        if !self.asked.is_audit || page.events.is_empty() {
            return Ok(());
        }
        let seen = Seen::of(&page.events);
        let recorded = self
            .events
            .recorder
            .read(&self.who, &self.asked.question, 0, seen)
            .await;
        recorded.map_err(|error| Refusal::new(error.code(), error.detail_text()))
    }

    /// Whether the client took it in time.
    async fn send(&self, bytes: Bytes) -> bool {
        matches!(timeout(SEND_WITHIN, self.sender.send(bytes)).await, Ok(Ok(())))
    }
}
