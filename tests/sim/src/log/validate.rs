//! The form of a batch, refused whole before anything is written.

use std::collections::BTreeSet;

use vaultstream_domain::ports::event_log::{AppendCommand, LogError, MAX_BATCH_COMMANDS, StreamAppend};
use vaultstream_event_schemas::ShardNumber;

use super::shards::Shards;

/// No stream is this long.
const VERSION_MAX: u64 = 1 << 47;

fn malformed(what: impl Into<String>) -> LogError {
    LogError::Malformed(what.into())
}

pub(super) fn batch(batch: &[AppendCommand], shards: &Shards) -> Result<(), LogError> {
    if batch.len() > MAX_BATCH_COMMANDS {
        return Err(malformed("too many commands"));
    }
    batch.iter().try_for_each(|command| one(command, shards))
}

fn one(command: &AppendCommand, shards: &Shards) -> Result<(), LogError> {
    let shard = command.shard;
    let head = shards.head(shard);
    let head = head.ok_or_else(|| malformed(format!("shard {shard} is not in the registry")))?;
    if command.streams.is_empty() {
        return Err(malformed("a command names no stream"));
    }
    let mut seen = BTreeSet::new();
    for part in &command.streams {
        if !seen.insert(part.stream) {
            return Err(malformed("a stream stands twice in one command"));
        }
        stream(part, shard, head.incarnation)?;
    }
    Ok(())
}

fn stream(part: &StreamAppend, shard: ShardNumber, incarnation: u32) -> Result<(), LogError> {
    if part.stream.shard() != shard || part.expected >= VERSION_MAX {
        return Err(malformed(
            "a stream of another shard, or a version that cannot be",
        ));
    }
    let mut previous = None;
    for (event, sequence) in part.events.iter().zip(part.expected + 1..) {
        let envelope = &event.envelope;
        if (envelope.stream, envelope.shard, envelope.sequence) != (part.stream, shard, sequence) {
            return Err(malformed("an event stands where another belongs"));
        }
        if envelope.incarnation != incarnation {
            return Err(LogError::Incarnation {
                shard,
                actual: incarnation,
                given: envelope.incarnation,
            });
        }
        if previous.is_some_and(|hash| hash != event.previous) {
            return Err(malformed("an event does not follow the one before it"));
        }
        previous = Some(event.hash);
    }
    Ok(())
}
