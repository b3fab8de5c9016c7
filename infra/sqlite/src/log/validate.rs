//! What can be said against a batch before anything is written: its form.

use std::collections::HashSet;

use vaultstream_domain::ports::event_log::{AppendCommand, LogError, MAX_BATCH_COMMANDS, StreamAppend};
use vaultstream_event_schemas::ShardNumber;

use super::{Shared, schema};

/// The largest payload, in bytes.
const MAX_PAYLOAD: usize = 1 << 20;

/// Refuses a batch that no state of the log could make right.
pub(super) fn batch(batch: &[AppendCommand], shared: &Shared) -> Result<(), LogError> {
    if batch.len() > MAX_BATCH_COMMANDS {
        let n = batch.len();
        return Err(LogError::Malformed(format!(
            "{n} commands; at most {MAX_BATCH_COMMANDS} in one batch"
        )));
    }
    batch.iter().try_for_each(|c| command(c, shared))
}

fn command(command: &AppendCommand, shared: &Shared) -> Result<(), LogError> {
    let shard = command.shard;
    let head = shared
        .heads
        .get(usize::from(shard.0))
        .ok_or_else(|| LogError::Malformed(format!("shard {shard} is not in the registry")))?;
    let incarnation = head.borrow().incarnation;
    if command.streams.is_empty() {
        return Err(LogError::Malformed("a command names no stream".into()));
    }
    let mut seen = HashSet::new();
    for part in &command.streams {
        if command.streams.len() > 1 && !seen.insert(part.stream) {
            return Err(LogError::Malformed(format!(
                "stream {} stands twice in one command",
                part.stream
            )));
        }
        stream(part, shard, incarnation)?;
    }
    Ok(())
}

fn stream(part: &StreamAppend, shard: ShardNumber, incarnation: u32) -> Result<(), LogError> {
    let id = part.stream;
    if id.shard() != shard {
        return Err(LogError::Malformed(format!(
            "stream {id} belongs to shard {}, not {shard}",
            id.shard()
        )));
    }
    if part.expected >= schema::MAX_POSITION {
        return Err(LogError::Malformed(format!(
            "stream {id} cannot be at version {}",
            part.expected
        )));
    }
    let mut previous = None;
    for (event, sequence) in part.events.iter().zip(part.expected + 1..) {
        let envelope = &event.envelope;
        if envelope.stream != id || envelope.shard != shard || envelope.sequence != sequence {
            return Err(LogError::Malformed(format!(
                "event {} of shard {} stands where {id}/{sequence} of shard {shard} belongs",
                envelope.event_ref(),
                envelope.shard,
            )));
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
            return Err(LogError::Malformed(format!(
                "event {id}/{sequence} has {bytes} bytes; at most {MAX_PAYLOAD}"
            )));
        }
        if previous.is_some_and(|hash| hash != event.previous) {
            return Err(LogError::Malformed(format!(
                "event {id}/{sequence} does not follow the one before it"
            )));
        }
        previous = Some(event.hash);
    }
    Ok(())
}
