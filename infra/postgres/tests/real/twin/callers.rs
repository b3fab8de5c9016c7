//! Callers that send what a seed says: mostly right, sometimes late, wrong or again.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, command, stream};
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};

use super::SHARDS;

const STREAMS: u64 = 4;

/// Numbers that look random and are the same for a seed (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
    pub(super) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below a usize")
    }
}

/// What the callers believe the streams are at, and what they have sent.
pub(super) struct Callers {
    pub(super) dice: Dice,
    writers: Vec<Vec<Writer>>,
    sent: Vec<AppendCommand>,
}

impl Callers {
    pub(super) fn new(seed: u64) -> Self {
        let writers = SHARDS
            .iter()
            .map(|shard| (0..STREAMS).map(|n| Writer::new(stream(*shard, n))).collect());
        Self {
            dice: Dice(seed),
            writers: writers.collect(),
            sent: Vec::new(),
        }
    }

    /// One part on a stream: mostly right, sometimes on a wrong version or a wrong past, sometimes only a condition.
    fn part(&mut self, shard: usize, n: usize) -> StreamAppend {
        let known = self.writers[shard][n];
        let events = 1 + self.dice.index(3);
        match self.dice.below(12) {
            0 => known.unchanged(),
            1 => Writer {
                version: known.version + 1 + self.dice.below(2),
                ..known
            }
            .append("too new", events),
            2 => Writer::new(known.stream).append("born again", events),
            3 => Writer {
                hash: [7; 32],
                ..known
            }
            .append("another past", events),
            4 => Writer {
                version: known.version.saturating_sub(1),
                ..known
            }
            .unchanged(),
            _ => self.writers[shard][n].append(&format!("{}", self.dice.below(1 << 40)), events),
        }
    }

    pub(super) fn command(&mut self) -> AppendCommand {
        if !self.sent.is_empty() && self.dice.below(8) == 0 {
            let n = self.dice.index(self.sent.len());
            return self.sent[n].clone();
        }
        let shard = self.dice.index(SHARDS.len());
        let first = self.dice.index(4);
        let parts = 1 + self.dice.index(3);
        let streams = (0..parts).map(|n| self.part(shard, (first + n) % 4)).collect();
        let command = command(streams);
        self.sent.push(command.clone());
        command
    }

    /// Learns what the streams are at from the log, as a caller does after a conflict.
    pub(super) async fn learn(&mut self, log: &impl EventLog) {
        for writer in self.writers.iter_mut().flatten() {
            let events = log.read_stream(writer.stream, 0, 10_000).await.expect("readable");
            let fresh = Writer::new(writer.stream);
            *writer = events.last().map_or(fresh, |last| Writer {
                version: last.envelope.sequence,
                hash: last.hash,
                ..fresh
            });
        }
    }
}
