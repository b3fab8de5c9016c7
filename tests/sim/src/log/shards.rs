//! What the log holds: events by shard and by stream, judged and numbered command by command; and how it is put back to
//! what it was when some of those commands had been written.

use std::collections::BTreeMap;

use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, Head, Snapshot, StreamAppend};
use vaultstream_event_schemas::clock::{Hlc, Timestamp};
use vaultstream_event_schemas::envelope::{GENESIS, Hash, StoredEvent};
use vaultstream_event_schemas::{Registry, ShardNumber, StreamId};

/// The first life of every shard.
const FIRST_LIFE: u32 = 1;

#[derive(Default)]
struct Shard {
    events: Vec<StoredEvent>,
    hlc: Hlc,
}

/// All shards.
pub(super) struct Shards {
    shards: BTreeMap<ShardNumber, Shard>,
    /// Where the events of a stream stand in its shard, counted from 0.
    streams: BTreeMap<StreamId, Vec<usize>>,
    snapshots: BTreeMap<(StreamId, u32), Snapshot>,
    /// The life that all shards are in.
    life: u32,
    /// Commands that wrote something, in the order they did: the shard, and how many events.
    commands: Vec<(ShardNumber, usize)>,
    /// Types of events that were written since somebody asked.
    fresh: Vec<String>,
}

/// A page: those behind the first `after`, at most `limit`.
fn page<T>(all: &[T], after: u64, limit: usize) -> &[T] {
    let start = usize::try_from(after).unwrap_or(usize::MAX).min(all.len());
    let rest = &all[start..];
    &rest[..limit.min(rest.len())]
}

impl Shards {
    pub(super) fn new(registry: &Registry) -> Self {
        let shards = registry.entries().iter();
        Self {
            shards: shards.map(|entry| (entry.number, Shard::default())).collect(),
            streams: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            life: FIRST_LIFE,
            commands: Vec::new(),
            fresh: Vec::new(),
        }
    }

    pub(super) const fn life(&self) -> u32 {
        self.life
    }

    /// How many commands have written something.
    pub(super) const fn written(&self) -> usize {
        self.commands.len()
    }

    /// Types of events that were written since this was asked last.
    pub(super) fn fresh(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fresh)
    }

    /// Makes it what it was when so many commands had written; answers how many events each shard has kept.
    pub(super) fn put_back(&mut self, commands: usize) -> BTreeMap<ShardNumber, u64> {
        self.commands.truncate(commands);
        let mut kept: BTreeMap<ShardNumber, usize> = self.shards.keys().map(|shard| (*shard, 0)).collect();
        for (shard, events) in &self.commands {
            *kept.entry(*shard).or_default() += events;
        }
        self.streams.clear();
        self.snapshots.clear();
        for (number, shard) in &mut self.shards {
            shard
                .events
                .truncate(kept.get(number).copied().unwrap_or_default());
            shard.hlc = shard.events.last().map(|event| event.hlc).unwrap_or_default();
            for (at, event) in shard.events.iter().enumerate() {
                self.streams.entry(event.envelope.stream).or_default().push(at);
            }
        }
        kept.into_iter()
            .map(|(shard, events)| (shard, events as u64))
            .collect()
    }

    /// Begins the next life of every shard.
    pub(super) const fn begin_life(&mut self) -> u32 {
        self.life += 1;
        self.life
    }

    /// The hash of the event at a position; zeros at 0.
    pub(super) fn hash_at(&self, shard: ShardNumber, position: u64) -> Option<Hash> {
        let Some(before) = position.checked_sub(1) else {
            return Some([0; 32]);
        };
        let events = &self.shards.get(&shard)?.events;
        let event = events.get(usize::try_from(before).ok()?)?;
        Some(event.hash)
    }

    pub(super) fn head(&self, shard: ShardNumber) -> Option<Head> {
        self.shards.get(&shard).map(|shard| Head {
            incarnation: self.life,
            position: shard.events.len() as u64,
            hlc: shard.hlc,
        })
    }

    pub(super) fn heads(&self) -> BTreeMap<ShardNumber, Head> {
        let numbers = self.shards.keys();
        numbers
            .filter_map(|number| Some((*number, self.head(*number)?)))
            .collect()
    }

    pub(super) fn read_shard(&self, shard: ShardNumber, after: u64, limit: usize) -> Vec<StoredEvent> {
        let events = self.shards.get(&shard).map(|shard| shard.events.as_slice());
        page(events.unwrap_or_default(), after, limit).to_vec()
    }

    pub(super) fn read_stream(&self, stream: StreamId, after: u64, limit: usize) -> Vec<StoredEvent> {
        let (Some(places), Some(shard)) = (self.streams.get(&stream), self.shards.get(&stream.shard()))
        else {
            return Vec::new();
        };
        let wanted = page(places, after, limit).iter();
        wanted.map(|place| shard.events[*place].clone()).collect()
    }

    pub(super) fn snapshot(&self, stream: StreamId, fold: u32) -> Option<Snapshot> {
        self.snapshots.get(&(stream, fold)).cloned()
    }

    pub(super) fn keep_snapshot(&mut self, stream: StreamId, fold: u32, snapshot: Snapshot) {
        self.snapshots.insert((stream, fold), snapshot);
    }

    pub(super) fn append(&mut self, batch: &[AppendCommand], now: Timestamp) -> Vec<AppendOutcome> {
        batch.iter().map(|command| self.command(command, now)).collect()
    }

    /// The version and the hash of a stream.
    fn stream(&self, stream: StreamId) -> (u64, Hash) {
        let last = self.streams.get(&stream).and_then(|places| places.last());
        let event = last.and_then(|place| self.shards.get(&stream.shard())?.events.get(*place));
        event.map_or((0, GENESIS), |event| (event.envelope.sequence, event.hash))
    }

    fn command(&mut self, command: &AppendCommand, now: Timestamp) -> AppendOutcome {
        for part in &command.streams {
            let (actual, hash) = self.stream(part.stream);
            let follows = part.events.first().is_none_or(|event| event.previous == hash);
            if actual != part.expected || !follows {
                let stream = part.stream;
                return self
                    .first_outcome(command)
                    .unwrap_or(AppendOutcome::Conflict { stream, actual });
            }
        }
        let head = self.head(command.shard).expect("the batch was validated");
        if command.streams.iter().all(|part| part.events.is_empty()) {
            return AppendOutcome::Committed {
                first: head.position,
                last: head.position,
                hlcs: Vec::new(),
            };
        }
        if head.hlc.is_ahead_of(now) {
            return AppendOutcome::ClockAhead;
        }
        let mut hlcs = Vec::new();
        for part in &command.streams {
            self.insert(command.shard, part, now, &mut hlcs);
        }
        self.commands.push((command.shard, hlcs.len()));
        AppendOutcome::Committed {
            first: head.position + 1,
            last: head.position + hlcs.len() as u64,
            hlcs,
        }
    }

    fn insert(&mut self, number: ShardNumber, part: &StreamAppend, now: Timestamp, hlcs: &mut Vec<Hlc>) {
        let shard = self.shards.get_mut(&number).expect("the batch was validated");
        let places = self.streams.entry(part.stream).or_default();
        for event in &part.events {
            shard.hlc = shard.hlc.next(now);
            hlcs.push(shard.hlc);
            places.push(shard.events.len());
            self.fresh.push(event.envelope.event_type.clone());
            shard.events.push(StoredEvent {
                position: shard.events.len() as u64 + 1,
                hlc: shard.hlc,
                envelope: event.envelope.clone(),
                payload: event.payload.clone(),
                previous: event.previous,
                hash: event.hash,
            });
        }
    }

    /// The outcome a command had when it was written before: all of its events stand where it would have put them.
    fn first_outcome(&self, command: &AppendCommand) -> Option<AppendOutcome> {
        let mut places: Vec<(u64, Hlc)> = Vec::new();
        for part in command.streams.iter().filter(|part| !part.events.is_empty()) {
            let stored = self.read_stream(part.stream, part.expected, part.events.len());
            if !stored
                .iter()
                .map(|e| e.hash)
                .eq(part.events.iter().map(|e| e.hash))
            {
                return None;
            }
            places.extend(stored.iter().map(|event| (event.position, event.hlc)));
        }
        let ((first, _), (last, _)) = (places.first()?, places.last()?);
        Some(AppendOutcome::Committed {
            first: *first,
            last: *last,
            hlcs: places.iter().map(|(_, hlc)| *hlc).collect(),
        })
    }
}
