//! The file of a log as an auditor reads it: beside its writer, after it, and when it is none.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::event_hash;
use vaultstream_infra_sqlite::{LogFile, OpenError, Options, SqliteLog};

async fn log_of(path: &std::path::Path) -> SqliteLog {
    let log = SqliteLog::open(&Options::new(path, sample::families())).expect("opens");
    let (mut a, mut b) = (
        Writer::new(sample::stream(1, 1)),
        Writer::new(sample::stream(4, 1)),
    );
    for _ in 0..5 {
        log.append(vec![a.command("a", 2), b.command("b", 1)], None)
            .await
            .expect("taken");
    }
    log
}

#[tokio::test]
async fn rows_should_be_given_as_they_lie_beside_a_writer_and_after_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log.db");
    let log = log_of(&path).await;
    let events = log.read_shard(ShardNumber(1), 0, 100).await.expect("readable");
    {
        let file = LogFile::open(&path).expect("opens");
        assert_eq!(
            file.shards().expect("readable"),
            [(ShardNumber(1), 10), (ShardNumber(4), 5)]
        );
        let mut seen = Vec::new();
        let read = file.rows(ShardNumber(1), 3, 7, |row| {
            let parts = row.parts;
            assert_eq!(
                event_hash(parts.envelope, parts.payload, &parts.previous),
                parts.hash
            );
            seen.push((
                parts.position,
                parts.hash,
                parts.hlc,
                row.sequence,
                row.stream.to_vec(),
            ));
        });
        read.expect("readable");
        let expected: Vec<_> = events[3..7]
            .iter()
            .map(|e| {
                (
                    e.position,
                    e.hash,
                    e.hlc,
                    e.envelope.sequence,
                    e.envelope.stream.to_bytes().to_vec(),
                )
            })
            .collect();
        assert_eq!(seen, expected);
        log.append(vec![Writer::new(sample::stream(0, 9)).command("c", 1)], None)
            .await
            .expect("goes on");
        assert_eq!(
            file.shards().expect("readable").len(),
            3,
            "the file is read as it is now"
        );
    }
    drop(log);
    assert_eq!(
        LogFile::open(&path)
            .expect("opens")
            .shards()
            .expect("readable")
            .len(),
        3
    );
}

#[tokio::test]
async fn file_that_is_no_log_should_be_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("leases.db");
    drop(vaultstream_infra_sqlite::SqliteLeases::open(&path).expect("opens"));
    assert!(matches!(LogFile::open(&path), Err(OpenError::Foreign { .. })));
    assert!(LogFile::open(&dir.path().join("absent.db")).is_err());
}
