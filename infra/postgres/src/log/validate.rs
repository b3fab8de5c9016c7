//! What can be said against a batch before a database is asked: its form.

use std::collections::HashSet;

use vaultstream_domain::ports::event_log::{AppendCommand, LogError, MAX_BATCH_COMMANDS, StreamAppend};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::HashedEvent;

/// The largest payload, in bytes.
const MAX_PAYLOAD: usize = 1 << 20;
/// The most events of one batch: their bytes travel in one message.
const MAX_EVENTS: usize = 16_384;
/// The last version a stream can have.
const MAX_VERSION: u64 = (1 << 47) - 1;

/// Refuses a batch that no state of the log could make right; `incarnation` gives that of a known shard.
pub(super) fn batch(
    batch: &[AppendCommand],
    incarnation: impl Fn(ShardNumber) -> Option<u32>,
) -> Result<(), LogError> {
    if batch.len() > MAX_BATCH_COMMANDS {
        return malformed(format!(
            "{} commands; at most {MAX_BATCH_COMMANDS} in one batch",
            batch.len()
        ));
    }
    let parts = batch.iter().flat_map(|command| &command.streams);
    let events: usize = parts.map(|part| part.events.len()).sum();
    if events > MAX_EVENTS {
        return malformed(format!("{events} events; at most {MAX_EVENTS} in one batch"));
    }
    for command in batch {
        let shard = command.shard;
        let Some(incarnation) = incarnation(shard) else {
            return malformed(format!("shard {shard} is not in the registry"));
        };
        if command.streams.is_empty() {
            return malformed("a command names no stream".into());
        }
        let mut seen = HashSet::new();
        for part in &command.streams {
            if command.streams.len() > 1 && !seen.insert(part.stream) {
                return malformed(format!("stream {} stands twice in one command", part.stream));
            }
            stream(part, shard, incarnation)?;
        }
    }
    Ok(())
}

fn malformed<T>(fault: String) -> Result<T, LogError> {
    Err(LogError::Malformed(fault))
}

fn stream(part: &StreamAppend, shard: ShardNumber, incarnation: u32) -> Result<(), LogError> {
    let id = part.stream;
    if id.shard() != shard {
        return malformed(format!(
            "stream {id} belongs to shard {}, not {shard}",
            id.shard()
        ));
    }
    if part.expected >= MAX_VERSION {
        return malformed(format!("stream {id} cannot be at version {}", part.expected));
    }
    let mut previous = None;
    for (event, sequence) in part.events.iter().zip(part.expected + 1..) {
        one(event, part, (shard, incarnation), sequence)?;
        if previous.is_some_and(|hash| hash != event.previous) {
            return malformed(format!("event {id}/{sequence} does not follow the one before it"));
        }
        previous = Some(event.hash);
    }
    Ok(())
}

fn one(
    event: &HashedEvent,
    part: &StreamAppend,
    (shard, incarnation): (ShardNumber, u32),
    sequence: u64,
) -> Result<(), LogError> {
    let (envelope, id) = (&event.envelope, part.stream);
    if envelope.stream != id || envelope.shard != shard || envelope.sequence != sequence {
        let (event, of) = (envelope.event_ref(), envelope.shard);
        return malformed(format!(
            "event {event} of shard {of} stands where {id}/{sequence} of shard {shard} belongs"
        ));
    }
    if envelope.incarnation != incarnation {
        return Err(LogError::Incarnation {
            shard,
            actual: incarnation,
            given: envelope.incarnation,
        });
    }
    if event.payload.len() > MAX_PAYLOAD {
        let bytes = event.payload.len();
        return malformed(format!(
            "event {id}/{sequence} has {bytes} bytes; at most {MAX_PAYLOAD}"
        ));
    }
    Ok(())
}
