//! Export and import: ranges of the log as JSON lines, from one log into another, whatever engines they lie on.
//!
//! The first line is a header with the registry of shards; every other line is a record ([`record`]) with the bytes as
//! they were hashed. Invariants: an import gives every event the position, the clock and the hash it had, or it stops and
//! names the line; an import that was cut is simply run again, and what is there already is compared, not written.
//! Refuses: another registry, gaps, another life of a shard, any byte that does not give its hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{
    AppendCommand, AppendOutcome, Head, LogError, MAX_BATCH_COMMANDS, StreamAppend,
};
use vaultstream_event_schemas::canonical::{self, CanonicalError};
use vaultstream_event_schemas::envelope::{HashedEvent, StoredEvent};
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::record;
use vaultstream_event_schemas::{Hlc, ShardNumber};

/// What an archive's first line calls itself.
pub const FORMAT: &str = "vaultstream-log/1";
/// The longest line an import takes, in bytes; a record with the largest payload is well below it.
pub const MAX_LINE: usize = 4 << 20;
/// Events read at once.
const PAGE: usize = 1_000;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// Every shard of the log, in order of number.
    pub shards: Vec<ShardEntry>,
}

/// Positions of a shard: above `after`, up to and with `upto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The shard.
    pub shard: ShardNumber,
    /// The position before the first.
    pub after: u64,
    /// The last position; the head's when the log is shorter.
    pub upto: u64,
}

/// Why an archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An event has no canonical form, or its bytes do not give its hash: the log itself is damaged there.
    #[error("event {position} of shard {shard} cannot be exported: it is damaged in the log")]
    Damaged {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
    /// The other side of the line could not be written or read.
    #[error("the archive cannot be written or read")]
    Io(#[from] std::io::Error),
    /// A line is not what it should be; nothing of it or after it was taken.
    #[error("line {line}: {fault}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong and what to do.
        fault: String,
    },
}

/// How much an export wrote or an import took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Events written.
    pub events: u64,
    /// Events that were there already, compared and found the same.
    pub known: u64,
}

/// Writes ranges of a log, line by line, after a look at every hash.
pub async fn export(
    log: &dyn EventLog,
    ranges: &[Range],
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<Count, ArchiveError> {
    let header = Header {
        format: FORMAT.to_owned(),
        shards: log.registry().entries().to_vec(),
    };
    let first = serde_json::to_vec(&header).map_err(std::io::Error::other)?;
    write(&first)?;
    let mut count = Count::default();
    for range in ranges {
        let mut after = range.after;
        while after < range.upto {
            let left = usize::try_from(range.upto - after).unwrap_or(usize::MAX);
            let page = log.read_shard(range.shard, after, left.min(PAGE)).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for event in &page {
                write(&line(event)?)?;
                count.events += 1;
            }
        }
    }
    Ok(count)
}

fn line(event: &StoredEvent) -> Result<Vec<u8>, ArchiveError> {
    let damaged = || ArchiveError::Damaged {
        shard: event.envelope.shard,
        position: event.position,
    };
    event.verify().map_err(|_| damaged())?;
    record::encode(event).map_err(|_: CanonicalError| damaged())
}

/// Takes an archive, line by line.
pub struct Importer<'a> {
    log: &'a dyn EventLog,
    heads: BTreeMap<ShardNumber, Head>,
    /// Events of one shard that go into the log together: each clock follows the one before it.
    run: Vec<StoredEvent>,
    line: u64,
    count: Count,
}

impl<'a> Importer<'a> {
    /// Reads the header, the archive's first line.
    pub async fn start(log: &'a dyn EventLog, header: &[u8]) -> Result<Self, ArchiveError> {
        let fault = |fault: String| ArchiveError::Line { line: 1, fault };
        let header: Header = serde_json::from_slice(header).map_err(|error| {
            fault(format!(
                "this is no header of an archive ({error}); give a file that `export` wrote"
            ))
        })?;
        if header.format != FORMAT {
            let format = header.format;
            return Err(fault(format!(
                "the archive is in format {format:?} and this build reads {FORMAT:?}; use the build that wrote it"
            )));
        }
        let registry = log.registry();
        if let Some(foreign) = header
            .shards
            .iter()
            .find(|entry| registry.entry(entry.number) != Some(*entry))
        {
            let (number, family, k) = (foreign.number, &foreign.family, foreign.k);
            return Err(fault(format!(
                "shard {number} is {family} {k} in the archive and not in this log; import into a log with the same families and counts"
            )));
        }
        Ok(Self {
            heads: log.heads().await?,
            log,
            run: Vec::new(),
            line: 1,
            count: Count::default(),
        })
    }

    /// Takes the next line. What it holds is durable after [`Self::finish`].
    pub async fn take(&mut self, line: &[u8]) -> Result<(), ArchiveError> {
        self.line += 1;
        if line.len() > MAX_LINE {
            return Err(self.fault(format!("{} bytes; at most {MAX_LINE} make a record", line.len())));
        }
        let event = record::decode(line).map_err(|error| self.fault(Causes(&error).to_string()))?;
        let shard = event.envelope.shard;
        let Some(head) = self.heads.get(&shard).copied() else {
            return Err(self.fault(format!("shard {shard} is not in this log")));
        };
        if event.position <= head.position {
            return self.compare(&event).await;
        }
        if event.position != head.position + 1 {
            return Err(self.fault(format!(
                "position {} of shard {shard} follows {}; export from there and import that first",
                event.position, head.position
            )));
        }
        // No hash of the event covers its clock, and the log would never let go of it.
        if !event.hlc.is_of_a_wall() {
            return Err(self.fault(format!(
                "its clock {} is beyond the year 9999; export it again",
                event.hlc.0
            )));
        }
        if event.envelope.incarnation != head.incarnation {
            return Err(self.fault(format!(
                "the event is of incarnation {} and shard {shard} of this log lives in {}; import into a log that was never restored",
                event.envelope.incarnation, head.incarnation
            )));
        }
        if !self.continues(&event) {
            self.append().await?;
        }
        self.heads.insert(
            shard,
            Head {
                position: event.position,
                hlc: event.hlc,
                ..head
            },
        );
        self.run.push(event);
        Ok(())
    }

    /// Makes everything durable.
    pub async fn finish(mut self) -> Result<Count, ArchiveError> {
        self.append().await?;
        Ok(self.count)
    }

    /// Whether the log would give an event its own clock when it is appended right behind the run.
    fn continues(&self, event: &StoredEvent) -> bool {
        self.run.len() < MAX_BATCH_COMMANDS
            && self.run.last().is_none_or(|last| {
                last.envelope.shard == event.envelope.shard && event.hlc == Hlc(last.hlc.0.saturating_add(4))
            })
    }

    async fn append(&mut self) -> Result<(), ArchiveError> {
        let run = std::mem::take(&mut self.run);
        let Some(first) = run.first() else { return Ok(()) };
        let now = first.hlc.timestamp();
        let wanted: Vec<_> = run.iter().map(|event| (event.position, event.hlc)).collect();
        let mut batch = Vec::with_capacity(run.len());
        for event in run {
            batch.push(command(event).map_err(|error| self.fault(error.to_string()))?);
        }
        let outcomes = self.log.append(batch, Some(now)).await?;
        for ((position, hlc), outcome) in wanted.iter().zip(outcomes) {
            let is_same = matches!(&outcome, AppendOutcome::Committed { first, last, hlcs }
                if first == position && last == position && hlcs.as_slice() == [*hlc]);
            if !is_same {
                return Err(self.fault(format!(
                    "position {position} did not get its own place and clock ({outcome:?}); somebody else writes to this log: import into one that nobody uses"
                )));
            }
            self.count.events += 1;
        }
        Ok(())
    }

    async fn compare(&mut self, event: &StoredEvent) -> Result<(), ArchiveError> {
        // What is in the run is not in the log yet.
        self.append().await?;
        let shard = event.envelope.shard;
        let known = self.log.read_shard(shard, event.position - 1, 1).await?;
        let is_same = known
            .first()
            .is_some_and(|known| known.hash == event.hash && known.hlc == event.hlc);
        if !is_same {
            let position = event.position;
            return Err(self.fault(format!(
                "this log has another event at position {position} of shard {shard}: it has another history"
            )));
        }
        self.count.known += 1;
        Ok(())
    }

    const fn fault(&self, fault: String) -> ArchiveError {
        ArchiveError::Line {
            line: self.line,
            fault,
        }
    }
}

fn command(event: StoredEvent) -> Result<AppendCommand, CanonicalError> {
    let (shard, stream) = (event.envelope.shard, event.envelope.stream);
    let hashed = HashedEvent {
        envelope_bytes: canonical::to_bytes(&event.envelope)?,
        payload: event.payload,
        previous: event.previous,
        hash: event.hash,
        envelope: event.envelope,
    };
    let part = StreamAppend {
        stream,
        // A sequence of 0 is refused by the log.
        expected: hashed.envelope.sequence.saturating_sub(1),
        events: vec![hashed],
    };
    Ok(AppendCommand {
        shard,
        streams: vec![part],
    })
}

#[cfg(test)]
mod tests {
    use vaultstream_domain::ports::conformance::sample::{self, Writer};

    use super::*;

    #[test]
    fn damaged_event_should_not_be_exported() {
        let event = Writer::new(sample::stream(0, 1)).event("kept");
        let mut stored = StoredEvent {
            position: 7,
            hlc: Hlc(1),
            envelope: event.envelope,
            payload: event.payload,
            previous: event.previous,
            hash: event.hash,
        };
        line(&stored).expect("it is what was written");
        stored.payload.push(b' ');
        let error = line(&stored).expect_err("it is not").to_string();
        assert!(error.contains("event 7 of shard 0"), "{error}");
    }
}
