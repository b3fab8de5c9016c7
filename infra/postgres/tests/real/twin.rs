//! The same batches into both event logs: every outcome and every stored byte must be equal, whatever the batch is made
//! of. The seed of a failure is in its message.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, command, stream};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, StreamAppend};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_sqlite::{Options, SqliteLog};

use super::ground::{database, examine, open, options};

const BATCHES: usize = 120;
const SHARDS: [u16; 3] = [0, 1, 4];
const STREAMS: u64 = 4;

/// Numbers that look random and are the same for a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below a usize")
    }
}

/// What the callers believe the streams are at, and what they have sent.
struct Callers {
    dice: Dice,
    writers: Vec<Vec<Writer>>,
    sent: Vec<AppendCommand>,
}

impl Callers {
    fn new(seed: u64) -> Self {
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

    fn command(&mut self) -> AppendCommand {
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
    async fn learn(&mut self, log: &impl EventLog) {
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

async fn compare(seed: u64) -> (usize, usize, usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let embedded =
        SqliteLog::open(&Options::new(dir.path().join("log.db"), sample::families())).expect("opens");
    let cluster = open(&options(&database().await)).await;
    let mut callers = Callers::new(seed);
    let mut seen = (0, 0, 0);
    let mut time_us = 0;
    for round in 0..BATCHES {
        // Time goes on, stands, steps back a little, and at times far back.
        time_us = match callers.dice.below(10) {
            0 => time_us,
            1 => time_us - 50,
            2 => time_us - 90_000_000,
            _ => time_us + i64::try_from(callers.dice.below(30_000_000)).expect("small"),
        };
        let batch: Vec<_> = (0..1 + callers.dice.index(10))
            .map(|_| callers.command())
            .collect();
        let ours = cluster.append(batch.clone(), Some(at(time_us))).await;
        let theirs = embedded.append(batch, Some(at(time_us))).await;
        let (ours, theirs) = (ours.expect("taken"), theirs.expect("taken"));
        assert_eq!(ours, theirs, "seed {seed}, round {round}");
        for outcome in ours {
            match outcome {
                AppendOutcome::Committed { .. } => seen.0 += 1,
                AppendOutcome::Conflict { .. } => seen.1 += 1,
                AppendOutcome::ClockAhead => seen.2 += 1,
            }
        }
        callers.learn(&cluster).await;
    }
    for shard in SHARDS.map(ShardNumber) {
        assert_eq!(
            examine(&cluster, shard).await,
            examine(&embedded, shard).await,
            "seed {seed}"
        );
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_logs_should_give_equal_outcomes_and_equal_bytes() {
    let (mut committed, mut conflicts, mut ahead) = (0, 0, 0);
    for seed in [1, 20_261_121, 0xdead_beef] {
        let seen = compare(seed).await;
        committed += seen.0;
        conflicts += seen.1;
        ahead += seen.2;
    }
    // A script that never meets a case proves nothing about it.
    assert!(
        committed > 300 && conflicts > 100 && ahead > 10,
        "{committed}, {conflicts}, {ahead}"
    );
}
