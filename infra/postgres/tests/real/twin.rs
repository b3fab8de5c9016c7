//! The same batches into both event logs: every outcome and every stored byte must be equal, whatever the batch is made
//! of. The seed of a failure is in its message.

mod callers;

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, at};
use vaultstream_domain::ports::event_log::AppendOutcome;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_sqlite::{Options, SqliteLog};

use super::ground::{database, examine, open, options};
use callers::Callers;

const BATCHES: usize = 120;
const SHARDS: [u16; 3] = [0, 1, 4];

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
