//! What the embedded log refuses at open, and what it says; damage it finds when it reads.

use std::error::Error;
use std::path::Path;

use rusqlite::Connection;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, stream};
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::placement::RegistryError;
use vaultstream_event_schemas::{Family, ShardNumber, Slug};
use vaultstream_infra_sqlite::{OpenError, Options, SqliteLog};

fn open(path: &Path) -> Result<SqliteLog, OpenError> {
    SqliteLog::open(&Options::new(path, sample::families()))
}

async fn filled(path: &Path) -> SqliteLog {
    let log = open(path).expect("a new log");
    let mut writer = Writer::new(stream(0, 1));
    let batch = (0..5).map(|n| writer.command(&n.to_string(), 1)).collect();
    log.append(batch, Some(at(0))).await.expect("taken");
    log
}

#[tokio::test]
async fn registry_should_grow_by_families_and_never_change_a_count() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    drop(filled(&path).await);

    let more = vec![(Family::Chain(Slug::try_new("btc_test").expect("valid")), 3)];
    let log = SqliteLog::open(&Options::new(&path, more)).expect("a new family is added");
    assert_eq!(
        log.registry().entries().len(),
        8,
        "families that are no longer configured stay"
    );
    let heads = log.heads().await.expect("readable");
    assert_eq!(
        (heads[&ShardNumber(0)].position, heads[&ShardNumber(7)].position),
        (5, 0)
    );
    drop(log);

    let fewer = vec![(Family::Core, 1)];
    let refused = SqliteLog::open(&Options::new(&path, fewer)).expect_err("a count never changes");
    assert!(matches!(
        refused,
        OpenError::Registry(RegistryError::CountChanged {
            stored: 2,
            configured: 1,
            ..
        })
    ));
    let why = refused.source().expect("says why").to_string();
    assert!(why.contains("configure 2"), "{why}");
}

#[tokio::test]
async fn second_opener_and_other_files_should_be_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    let log = filled(&path).await;
    let refused = open(&path).expect_err("in use");
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(
        refused.to_string().contains("in use by another process; stop it"),
        "{refused}"
    );
    drop(log);

    let connection = Connection::open(&path).expect("plain SQLite");
    connection
        .pragma_update(None, "user_version", 99)
        .expect("a newer schema");
    drop(connection);
    assert!(matches!(open(&path), Err(OpenError::Newer { found: 99, .. })));

    let notes = dir.path().join("progress.db");
    drop(vaultstream_infra_sqlite::SqliteProgress::open(&notes).expect("a progress file"));
    assert!(
        matches!(open(&notes), Err(OpenError::Foreign { .. })),
        "ours, but no log"
    );
}

#[tokio::test]
async fn damaged_events_should_be_named_and_leave_their_neighbours_readable() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    drop(filled(&path).await);
    let connection = Connection::open(&path).expect("plain SQLite");
    connection
        .execute("UPDATE event SET envelope = x'7b' WHERE id = 3", [])
        .expect("cut an envelope");
    connection
        .execute("UPDATE event SET hash = x'00' WHERE id = 5", [])
        .expect("cut a hash");
    drop(connection);

    let log = open(&path).expect("opens");
    let shard = ShardNumber(0);
    assert_eq!(log.read_shard(shard, 0, 2).await.expect("readable").len(), 2);
    for (after, damaged) in [(2, 3), (4, 5)] {
        match log.read_shard(shard, after, 10).await {
            Err(LogError::Damaged {
                shard: ShardNumber(0),
                position,
                ..
            }) => assert_eq!(position, damaged),
            other => panic!("damage at {damaged} was not seen: {other:?}"),
        }
    }
    assert_eq!(log.read_shard(shard, 3, 1).await.expect("readable").len(), 1);
}

#[tokio::test]
async fn tail_in_memory_and_file_should_read_alike() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    let log = open(&path).expect("a new log");
    let mut writers: Vec<_> = (0..4).map(|n| Writer::new(stream(0, n))).collect();
    for round in 0..1_500 {
        let batch = writers
            .iter_mut()
            .map(|w| w.command(&format!("round {round}"), 1))
            .collect();
        log.append(batch, Some(at(round))).await.expect("taken");
    }
    let shard = ShardNumber(0);
    let mut before = Vec::new();
    for after in (0..6_000).step_by(500) {
        before.extend(log.read_shard(shard, after, 500).await.expect("readable"));
    }
    drop(log);
    let log = open(&path).expect("reopens, with nothing in memory");
    let after = log.read_shard(shard, 0, 10_000).await.expect("readable");
    assert_eq!(after.len(), 6_000, "more than memory keeps");
    assert!(before == after, "the same events from memory and from the file");
}
