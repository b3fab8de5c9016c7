//! A transaction that fails half-way, made to fail by a trigger of a foreign hand: nothing of it may be kept, every
//! caller in it hears of it, and the log goes on. And the long run: the write-ahead log does not grow for ever.

use std::sync::Arc;

use futures::future::join_all;
use rusqlite::Connection;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, stream};
use vaultstream_domain::ports::event_log::{AppendOutcome, LogError, Snapshot};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_sqlite::{Options, SqliteLog};

#[tokio::test]
async fn failed_transaction_should_leave_nothing_and_the_log_should_go_on() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    let log = SqliteLog::open(&Options::new(&path, sample::families())).expect("opens");
    let mut first = Writer::new(stream(0, 1));
    log.append(vec![first.command("before", 2)], Some(at(0)))
        .await
        .expect("taken");

    let saboteur = Connection::open(&path).expect("plain SQLite");
    saboteur
        .execute_batch(
            "CREATE TRIGGER sabotage BEFORE INSERT ON event WHEN instr(NEW.payload, 'poison') \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .expect("a trigger");
    let (good, bad) = (
        first.command("good", 1),
        Writer::new(stream(0, 2)).command("poison", 1),
    );
    let mut neighbour = Writer::new(stream(3, 1));
    let snapshot = Snapshot {
        sequence: 1,
        hash: [1; 32],
        state: vec![],
    };
    let batches = [
        vec![good.clone(), bad],
        vec![neighbour.command("other caller", 1)],
    ];
    let mut answers = join_all(batches.iter().map(|batch| log.append(batch.clone(), Some(at(0))))).await;
    assert!(
        matches!(answers.remove(0), Err(LogError::Engine { .. })),
        "the whole batch, the good half too"
    );
    let heads = log.heads().await.expect("readable");
    assert_eq!(heads[&ShardNumber(0)].position, 2, "the head did not move");
    assert_eq!(
        log.read_shard(ShardNumber(0), 0, 10)
            .await
            .expect("readable")
            .len(),
        2
    );
    assert!(
        log.read_stream(stream(0, 1), 2, 10)
            .await
            .expect("readable")
            .is_empty()
    );

    // Whoever heard of a failure sends again; whether the neighbour was in the same transaction is chance.
    saboteur.execute_batch("DROP TRIGGER sabotage").expect("dropped");
    log.save_snapshot(stream(0, 1), 1, snapshot).await.expect("kept");
    let again = log.append(vec![good], Some(at(0))).await.expect("taken");
    assert!(matches!(
        again[0],
        AppendOutcome::Committed {
            first: 3,
            last: 3,
            ..
        }
    ));
    let other = log.append(batches[1].clone(), Some(at(0))).await.expect("taken");
    assert!(
        matches!(
            other[0],
            AppendOutcome::Committed {
                first: 1,
                last: 1,
                ..
            }
        ),
        "once, however often it was sent"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_ahead_log_should_be_copied_back_under_load() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    let options = Options {
        uncopied_bytes_max: 32 << 20,
        ..Options::new(&path, sample::families())
    };
    let log = Arc::new(SqliteLog::open(&options).expect("opens"));
    let mut writers: Vec<_> = (0..32).map(|n| Writer::new(stream(0, n))).collect();
    // The log stores payloads as they are; making them canonical would only take this test's time.
    let filling = vec![b'x'; 4_000];
    for _ in 0..800 {
        let mut batch: Vec<_> = writers.iter_mut().map(|w| w.command("filled below", 1)).collect();
        for command in &mut batch {
            command.streams[0].events[0].payload.clone_from(&filling);
        }
        log.append(batch, None).await.expect("taken");
    }
    let size = |suffix: &str| std::fs::metadata(format!("{}{suffix}", path.display())).map_or(0, |m| m.len());
    let written = 800 * 32 * 4_000;
    let file = size("");
    assert!(
        file > written / 4,
        "events reached the file while the log was open: {file} of {written} bytes"
    );
    let wal = size("-wal");
    assert!(
        wal < written,
        "the write-ahead log started anew: {wal} of {written} bytes"
    );
    let last = log
        .read_shard(ShardNumber(0), 25_599, 10)
        .await
        .expect("readable");
    assert_eq!(last.len(), 1);
}
