//! One transaction for whatever waits: group commit across callers.
//!
//! Statements: one look-up a stream that was not seen in this transaction, one insert an event; heads of shards and of
//! streams seen are held in memory, so nothing is written twice. Every command is judged before a row of it is
//! written, so a conflict needs no savepoint and cannot touch its neighbours. Order: requests as they came, commands
//! as they stand in a batch. A batch is bounded by the port, a transaction by the writer.

use std::collections::{BTreeMap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, Head, Snapshot, StreamAppend};
use vaultstream_domain::ports::wrong_clock;
use vaultstream_event_schemas::clock::{Hlc, Timestamp};
use vaultstream_event_schemas::envelope::{GENESIS, Hash};
use vaultstream_event_schemas::{ShardNumber, StreamId};

use super::writer::Request;
use super::{Shared, schema};

/// What became of one command, and whether this transaction wrote it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) told: AppendOutcome,
    /// False for a resend, whose events stand in the log already.
    pub(super) fresh: bool,
}

/// What a committed transaction did.
#[derive(Debug)]
pub(super) struct Written {
    /// By request; a snapshot has none.
    pub(super) outcomes: Vec<Vec<Outcome>>,
    /// The new heads of the shards that moved.
    pub(super) heads: BTreeMap<ShardNumber, Head>,
    /// Bytes of events.
    pub(super) bytes: usize,
}

/// Runs the transaction; an error means that nothing of it was kept.
pub(super) fn write(
    connection: &Connection,
    shared: &Shared,
    requests: &[Request],
) -> rusqlite::Result<Written> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut group = Group {
        insert: connection.prepare_cached(schema::INSERT)?,
        head: connection.prepare_cached(schema::HEAD)?,
        at: connection.prepare_cached(schema::AT)?,
        shared,
        streams: HashMap::new(),
        heads: BTreeMap::new(),
        bytes: 0,
    };
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        outcomes.push(match request {
            Request::Append { batch, now, .. } => {
                let now = now.unwrap_or_else(engine_clock);
                batch
                    .iter()
                    .map(|command| group.command(command, now))
                    .collect::<Result<_, _>>()?
            }
            Request::Snapshot {
                stream,
                fold_version,
                snapshot,
                ..
            } => {
                save(connection, *stream, *fold_version, snapshot)?;
                Vec::new()
            }
        });
    }
    let Group { heads, bytes, .. } = group;
    transaction.commit()?;
    Ok(Written {
        outcomes,
        heads,
        bytes,
    })
}

/// The engine's clock, asked when the caller gives no time.
#[expect(
    clippy::disallowed_methods,
    reason = "this adapter is the engine whose clock the port falls back to"
)]
fn engine_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(micros.saturating_add(wrong_clock::micros()))
}

fn save(connection: &Connection, stream: StreamId, fold: u32, snapshot: &Snapshot) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(schema::SAVE_SNAPSHOT)?;
    let sequence = snapshot.sequence.cast_signed();
    statement
        .execute((stream.to_bytes(), fold, sequence, snapshot.hash, &snapshot.state))
        .map(|_| ())
}

struct Group<'c> {
    insert: CachedStatement<'c>,
    head: CachedStatement<'c>,
    at: CachedStatement<'c>,
    shared: &'c Shared,
    streams: HashMap<StreamId, (u64, Hash)>,
    heads: BTreeMap<ShardNumber, Head>,
    bytes: usize,
}

impl Group<'_> {
    fn command(&mut self, command: &AppendCommand, now: Timestamp) -> rusqlite::Result<Outcome> {
        for part in &command.streams {
            let (actual, hash) = self.stream(part.stream)?;
            let follows = part.events.first().is_none_or(|event| event.previous == hash);
            if actual != part.expected || !follows {
                let first = self.first_outcome(command)?;
                let conflict = AppendOutcome::Conflict {
                    stream: part.stream,
                    actual,
                };
                return Ok(Outcome {
                    told: first.unwrap_or(conflict),
                    fresh: false,
                });
            }
        }
        let head = self.shard(command.shard);
        let events: usize = command.streams.iter().map(|part| part.events.len()).sum();
        if events == 0 {
            let told = AppendOutcome::Committed {
                first: head.position,
                last: head.position,
                hlcs: Vec::new(),
            };
            return Ok(Outcome { told, fresh: false });
        }
        if head.hlc.is_ahead_of(now) {
            return Ok(Outcome {
                told: AppendOutcome::ClockAhead,
                fresh: false,
            });
        }
        self.insert(command, head, now)
    }

    fn insert(&mut self, command: &AppendCommand, from: Head, now: Timestamp) -> rusqlite::Result<Outcome> {
        let mut head = from;
        let mut hlcs = Vec::with_capacity(1);
        for part in &command.streams {
            let stream = part.stream.to_bytes();
            for event in &part.events {
                head.position += 1;
                head.hlc = head.hlc.next(now);
                self.insert.execute((
                    schema::row_id(command.shard, head.position),
                    stream,
                    event.envelope.sequence.cast_signed(),
                    head.hlc.0.cast_signed(),
                    &event.envelope_bytes,
                    &event.payload,
                    event.previous,
                    event.hash,
                ))?;
                self.bytes += event.envelope_bytes.len() + event.payload.len();
                hlcs.push(head.hlc);
            }
            if let Some(last) = part.events.last() {
                self.streams
                    .insert(part.stream, (last.envelope.sequence, last.hash));
            }
        }
        self.heads.insert(command.shard, head);
        let told = AppendOutcome::Committed {
            first: from.position + 1,
            last: head.position,
            hlcs,
        };
        Ok(Outcome { told, fresh: true })
    }

    /// The version and hash of a stream as this transaction sees it.
    fn stream(&mut self, stream: StreamId) -> rusqlite::Result<(u64, Hash)> {
        if let Some(seen) = self.streams.get(&stream) {
            return Ok(*seen);
        }
        let found = self
            .head
            .query_row([stream.to_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
            })
            .optional()?
            .unwrap_or((0, GENESIS));
        self.streams.insert(stream, found);
        Ok(found)
    }

    fn shard(&self, shard: ShardNumber) -> Head {
        self.heads
            .get(&shard)
            .copied()
            .unwrap_or_else(|| *self.shared.heads[usize::from(shard.0)].borrow())
    }

    /// The outcome a command had when it was sent before: all of its events stand where it would have put them.
    fn first_outcome(&mut self, command: &AppendCommand) -> rusqlite::Result<Option<AppendOutcome>> {
        let mut places: Vec<(u64, Hlc)> = Vec::new();
        for part in command.streams.iter().filter(|part| !part.events.is_empty()) {
            if !self.stands(part, &mut places)? {
                return Ok(None);
            }
        }
        let (Some((first, _)), Some((last, _))) = (places.first(), places.last()) else {
            return Ok(None);
        };
        let (first, last) = (*first, *last);
        let hlcs = places.into_iter().map(|(_, hlc)| hlc).collect();
        Ok(Some(AppendOutcome::Committed { first, last, hlcs }))
    }

    fn stands(&mut self, part: &StreamAppend, places: &mut Vec<(u64, Hlc)>) -> rusqlite::Result<bool> {
        let stream = part.stream.to_bytes();
        for event in &part.events {
            let found = self
                .at
                .query_row((stream, event.envelope.sequence.cast_signed()), |row| {
                    let (id, hlc): (i64, i64) = (row.get(0)?, row.get(1)?);
                    Ok((
                        schema::position_of(id),
                        Hlc(hlc.cast_unsigned()),
                        row.get::<_, Hash>(2)?,
                    ))
                })
                .optional()?;
            match found {
                Some((position, hlc, hash)) if hash == event.hash => places.push((position, hlc)),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
