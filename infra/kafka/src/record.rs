//! What a record carries beside its value: the few facts a reader needs before it reads, as text.
//!
//! `position` and `incarnation` (the shard's life while it was published, which is not the life the event was written
//! in) order a partition; the rest is for people and tools.

use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::public_event::PublicEvent;

pub(crate) const POSITION: &str = "position";
pub(crate) const INCARNATION: &str = "incarnation";

/// The headers of an event's record.
pub(crate) fn of_event(event: &StoredEvent, incarnation: u32) -> OwnedHeaders {
    let headers = ordering(event, incarnation)
        .insert(text("hlc", &event.hlc.0.to_string()))
        .insert(text("type", &event.envelope.event_type))
        .insert(text("version", &event.envelope.version.to_string()));
    traced(headers, event)
}

/// The headers of a public record.
pub(crate) fn of_public(public: &PublicEvent, event: &StoredEvent, incarnation: u32) -> OwnedHeaders {
    let headers = ordering(event, incarnation)
        .insert(text("id", &public.id.to_string()))
        .insert(text("type", &public.event_type))
        .insert(text("content-type", "application/json"));
    traced(headers, event)
}

fn ordering(event: &StoredEvent, incarnation: u32) -> OwnedHeaders {
    OwnedHeaders::new_with_capacity(6)
        .insert(text(POSITION, &event.position.to_string()))
        .insert(text(INCARNATION, &incarnation.to_string()))
}

fn traced(headers: OwnedHeaders, event: &StoredEvent) -> OwnedHeaders {
    match &event.envelope.trace {
        Some(trace) => headers.insert(text("traceparent", trace)),
        None => headers,
    }
}

fn text<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    Header {
        key,
        value: Some(value),
    }
}

/// Where a record stands in its shard's history, as its headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    pub(crate) incarnation: u32,
    pub(crate) position: u64,
}

impl Standing {
    /// Reads it; `None` for a record that is not ours or is damaged.
    pub(crate) fn of(message: &BorrowedMessage<'_>) -> Option<Self> {
        let headers = message.headers()?;
        let number = |key: &str| {
            let header = headers.iter().find(|header| header.key == key)?;
            std::str::from_utf8(header.value?).ok()?.parse::<u64>().ok()
        };
        Some(Self {
            incarnation: u32::try_from(number(INCARNATION)?).ok()?,
            position: number(POSITION).filter(|position| *position > 0)?,
        })
    }
}
