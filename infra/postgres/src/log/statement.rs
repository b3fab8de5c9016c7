//! A batch as the arguments of one call: arrays of equal length instead of rows, borrowed from the commands.
//!
//! What the batch would do if every command were accepted is worked out here, so that the database only has to compare
//! each stream once. When the commands of the batch contradict each other that cannot be said, and the database judges
//! them one by one (`chained` is false).

use std::collections::HashMap;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_event_schemas::envelope::GENESIS;
use vaultstream_event_schemas::{ShardNumber, StreamId, Timestamp};

const CALL: &str = "SELECT r_position, r_hlc, r_verdict, r_first, r_last, r_stamps FROM vaultstream.append(\
     $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
     $25, $26)";

type Bytes<'a> = Option<&'a [u8]>;

/// The shards of a batch, in ascending order; an index into them is a slot.
#[derive(Debug, Default)]
struct Shards {
    numbers: Vec<i32>,
    incarnations: Vec<i32>,
    events: Vec<i32>,
}

/// The streams of a batch, each once.
#[derive(Debug, Default)]
struct Streams<'a> {
    slots: HashMap<StreamId, usize>,
    names: Vec<String>,
    expected: Vec<i64>,
    /// The hash to be found; none where nothing is written, or where the stream must not exist.
    previous: Vec<Bytes<'a>>,
    /// What the stream is at afterwards.
    sequence: Vec<i64>,
    /// Its hash afterwards; none where nothing is written.
    hash: Vec<Bytes<'a>>,
}

/// One row a command.
#[derive(Debug, Default)]
struct Commands {
    shard: Vec<i32>,
    parts: Vec<i32>,
    events: Vec<i32>,
}

/// One row for each stream of each command.
#[derive(Debug, Default)]
struct Parts {
    stream: Vec<i32>,
    expected: Vec<i64>,
    events: Vec<i32>,
}

/// One row an event, in the order of the commands.
#[derive(Debug, Default)]
struct Events<'a> {
    shard: Vec<i32>,
    ordinal: Vec<i32>,
    stream: Vec<usize>,
    sequence: Vec<i64>,
    previous: Vec<Bytes<'a>>,
    hash: Vec<&'a [u8]>,
    envelope: Vec<&'a [u8]>,
    payload: Vec<&'a [u8]>,
}

/// A batch, ready to be sent.
#[derive(Debug, Default)]
pub(super) struct Statement<'a> {
    shards: Shards,
    streams: Streams<'a>,
    commands: Commands,
    parts: Parts,
    events: Events<'a>,
    chained: bool,
    /// Whether a stream that exists is written.
    grown: bool,
}

/// Counts of a batch are far below 2³¹.
fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// The start of a stream is stored as nothing.
fn beginning(hash: &[u8; 32]) -> Bytes<'_> {
    (*hash != GENESIS).then_some(hash.as_slice())
}

impl<'a> Statement<'a> {
    /// Lays out validated commands; `incarnation` gives that of a shard.
    pub(super) fn new(
        commands: impl Iterator<Item = &'a AppendCommand> + Clone,
        incarnation: impl Fn(ShardNumber) -> u32,
    ) -> Self {
        let mut numbers: Vec<ShardNumber> = commands.clone().map(|command| command.shard).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut statement = Self {
            chained: true,
            ..Self::default()
        };
        statement.shards.events = vec![0; numbers.len()];
        statement.shards.numbers = numbers.iter().map(|shard| shard.0.into()).collect();
        statement.shards.incarnations = numbers
            .iter()
            .map(|shard| incarnation(*shard).cast_signed())
            .collect();
        for command in commands {
            let slot = numbers.binary_search(&command.shard).unwrap_or(0);
            statement.command(command, slot);
        }
        statement
    }

    fn command(&mut self, command: &'a AppendCommand, slot: usize) {
        let events: usize = command.streams.iter().map(|part| part.events.len()).sum();
        self.commands.shard.push(count(slot + 1));
        self.commands.parts.push(count(command.streams.len()));
        self.commands.events.push(count(events));
        for part in &command.streams {
            let stream = self.part(part);
            self.parts.stream.push(count(stream + 1));
            self.parts.expected.push(part.expected.cast_signed());
            self.parts.events.push(count(part.events.len()));
            for event in &part.events {
                self.shards.events[slot] += 1;
                self.events.shard.push(count(slot + 1));
                self.events.ordinal.push(self.shards.events[slot]);
                self.events.stream.push(stream);
                self.events.sequence.push(event.envelope.sequence.cast_signed());
                self.events.previous.push(beginning(&event.previous));
                self.events.hash.push(&event.hash);
                self.events.envelope.push(&event.envelope_bytes);
                self.events.payload.push(&event.payload);
            }
        }
    }

    /// Moves a stream on as if the command were accepted, and gives its slot.
    fn part(&mut self, part: &'a StreamAppend) -> usize {
        let (streams, expected) = (&mut self.streams, part.expected.cast_signed());
        let slot = *streams.slots.entry(part.stream).or_insert_with(|| {
            streams.names.push(part.stream.to_string());
            streams.expected.push(expected);
            streams.previous.push(None);
            streams.sequence.push(expected);
            streams.hash.push(None);
            streams.names.len() - 1
        });
        self.chained &= streams.sequence[slot] == expected;
        if let (Some(first), Some(last)) = (part.events.first(), part.events.last()) {
            let previous = beginning(&first.previous);
            match streams.hash[slot] {
                Some(hash) => self.chained &= previous == Some(hash),
                None if streams.expected[slot] == 0 => self.chained &= previous.is_none(),
                None => {
                    // A stream that exists has a hash; the start of a stream never is one.
                    self.chained &= previous.is_some();
                    self.grown = true;
                    streams.previous[slot] = previous;
                }
            }
            streams.sequence[slot] = last.envelope.sequence.cast_signed();
            streams.hash[slot] = Some(&last.hash);
        }
        slot
    }

    /// The call. `wall` is the process's time, by which a clock of the database that runs ahead is known.
    pub(super) fn call(&self, now: Option<Timestamp>, wall: Timestamp) -> Query<'_, Postgres, PgArguments> {
        let names: Vec<&str> = self.streams.names.iter().map(String::as_str).collect();
        let streams: Vec<&str> = self.events.stream.iter().map(|slot| names[*slot]).collect();
        sqlx::query(CALL)
            .bind(now.map(Timestamp::as_micros))
            .bind(wall.as_micros())
            .bind(self.chained)
            .bind(self.grown)
            .bind(&self.shards.numbers)
            .bind(&self.shards.incarnations)
            .bind(&self.shards.events)
            .bind(names)
            .bind(&self.streams.expected)
            .bind(&self.streams.previous)
            .bind(&self.streams.sequence)
            .bind(&self.streams.hash)
            .bind(&self.commands.shard)
            .bind(&self.commands.parts)
            .bind(&self.commands.events)
            .bind(&self.parts.stream)
            .bind(&self.parts.expected)
            .bind(&self.parts.events)
            .bind(&self.events.shard)
            .bind(&self.events.ordinal)
            .bind(streams)
            .bind(&self.events.sequence)
            .bind(&self.events.previous)
            .bind(&self.events.hash)
            .bind(&self.events.envelope)
            .bind(&self.events.payload)
    }

    /// What the call said.
    pub(super) fn read(&self, row: &PgRow) -> Result<Reply, sqlx::Error> {
        let judged: Option<Vec<i32>> = row.try_get(2)?;
        let verdicts = match judged {
            None => None,
            Some(verdict) => Some(Verdicts {
                verdict,
                first: row.try_get(3)?,
                last: row.try_get(4)?,
                stamps: row.try_get(5)?,
            }),
        };
        Ok(Reply {
            position: row.try_get(0)?,
            hlc: row.try_get(1)?,
            verdicts,
        })
    }
}

/// The answer of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Where each shard stood before, by slot.
    pub(super) position: Vec<i64>,
    /// The first stamp each shard could give, by slot.
    pub(super) hlc: Vec<i64>,
    /// What became of each command; none when all were accepted.
    pub(super) verdicts: Option<Verdicts>,
}

/// What became of commands that were judged one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdicts {
    pub(super) verdict: Vec<i32>,
    pub(super) first: Vec<i64>,
    pub(super) last: Vec<i64>,
    /// Of all events of committed commands, in order.
    pub(super) stamps: Vec<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use vaultstream_domain::ports::conformance::sample::{Writer, command, stream};

    fn lay(batch: &[AppendCommand]) -> Statement<'_> {
        Statement::new(batch.iter(), |_| 1)
    }

    #[test]
    fn shards_should_stand_in_ascending_order_and_count_their_events() {
        let batch: Vec<_> = [(4, 2), (0, 1), (4, 1)]
            .into_iter()
            .zip(0..)
            .map(|((shard, events), n)| Writer::new(stream(shard, n)).command("x", events))
            .collect();
        let laid = lay(&batch);
        assert_eq!(
            (laid.shards.numbers, laid.shards.events),
            (vec![0, 4], vec![1, 3])
        );
        assert_eq!(laid.events.shard, vec![2, 2, 1, 2]);
        assert_eq!(laid.events.ordinal, vec![1, 2, 1, 3]);
        assert!(laid.chained && !laid.grown);
    }

    #[test]
    fn streams_should_stand_once_with_what_they_begin_and_end_at() {
        let mut old = Writer {
            version: 5,
            hash: [7; 32],
            ..Writer::new(stream(0, 1))
        };
        let (mut new, guard) = (Writer::new(stream(0, 2)), Writer::new(stream(0, 3)));
        let batch = vec![
            command(vec![guard.unchanged(), old.append("a", 2)]),
            old.command("b", 1),
            new.command("c", 1),
        ];
        let laid = lay(&batch);
        assert!(laid.chained && laid.grown);
        assert_eq!(laid.streams.expected, vec![0, 5, 0]);
        assert_eq!(laid.streams.sequence, vec![0, 8, 1]);
        assert_eq!(laid.streams.previous, vec![None, Some(&[7u8; 32][..]), None]);
        assert_eq!(
            laid.streams.hash,
            vec![None, Some(&old.hash[..]), Some(&new.hash[..])]
        );
        assert_eq!(laid.parts.stream, vec![1, 2, 2, 3]);
    }

    #[test]
    fn contradictions_inside_a_batch_should_be_left_to_the_database() {
        let fresh = || Writer::new(stream(0, 1));
        let once = fresh().command("twice", 1);
        let mut grown = fresh();
        let first = grown.command("first", 1);
        let fork = Writer {
            hash: [9; 32],
            ..grown
        }
        .command("fork", 1);
        let headless = Writer {
            version: 3,
            ..fresh()
        }
        .command("on nothing", 1);
        let rootless = Writer {
            hash: [9; 32],
            ..fresh()
        }
        .command("on something", 1);
        for (name, batch) in [
            ("sent twice", vec![once.clone(), once]),
            ("forked", vec![first.clone(), fork]),
            ("stale condition", vec![first, command(vec![fresh().unchanged()])]),
            ("a version without a hash", vec![headless]),
            ("a hash without a version", vec![rootless]),
        ] {
            assert!(!lay(&batch).chained, "{name}");
        }
    }
}
