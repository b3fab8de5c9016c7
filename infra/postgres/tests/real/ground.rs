//! What the tests stand on: new databases, logs on them, and a look at a whole log.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use async_trait::async_trait;
use sqlx::{Connection, Executor, PgConnection};
use vaultstream_domain::ports::conformance::sample;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, MAX_READ};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_engines::Postgres;
use vaultstream_event_schemas::envelope::{GENESIS, StoredEvent};
use vaultstream_event_schemas::{ShardNumber, Timestamp};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions};
use vaultstream_infra_runtime::SystemClock;

/// The server of all tests that leave it alive.
pub async fn shared() -> &'static Postgres {
    tokio::task::spawn_blocking(Postgres::shared)
        .await
        .expect("PostgreSQL starts")
}

/// A new, empty database on a server, given by a url of it.
pub async fn database_on(server: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "log_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    run(server, &format!("CREATE DATABASE {name}")).await;
    let (server, _) = server.rsplit_once('/').expect("a url names its database");
    format!("{server}/{name}")
}

/// A new, empty database on the shared server.
pub async fn database() -> String {
    database_on(&shared().await.url()).await
}

/// A connection of a stranger.
pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connects")
}

/// Runs statements as a stranger.
pub async fn run(url: &str, sql: &str) {
    let mut connection = connect(url).await;
    connection.execute(sql).await.expect("runs");
    connection.close().await.expect("closes");
}

/// One log on one database, with the shards of the suites.
pub fn options(url: &str) -> PgLogOptions {
    over(vec![DatabaseConfig::new("main", url)])
}

/// One log over several databases.
pub fn over(databases: Vec<DatabaseConfig>) -> PgLogOptions {
    PgLogOptions::new("test", databases, sample::families(), Arc::new(SystemClock))
}

/// Opens a log that must open.
pub async fn open(options: &PgLogOptions) -> PgLog {
    PgLog::open(options).await.expect("the log opens")
}

/// A clock that stands apart from the machine's by as much as a test says.
#[derive(Default)]
pub struct ShiftedClock(pub AtomicI64);

#[async_trait]
impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Ordering::Acquire))
    }
    async fn sleep_ms(&self, ms: u64) {
        SystemClock.sleep_ms(ms).await;
    }
}

/// First and last position of a committed command.
#[track_caller]
pub fn committed(outcome: &AppendOutcome) -> (u64, u64) {
    match outcome {
        AppendOutcome::Committed { first, last, .. } => (*first, *last),
        other => panic!("not committed: {other:?}"),
    }
}

/// Sends one command until the log has answered, like the executor does.
pub async fn insist(log: &PgLog, command: &AppendCommand) -> AppendOutcome {
    for attempt in 0..600u64 {
        match log.append(vec![command.clone()], None).await {
            Ok(mut outcomes) => return outcomes.remove(0),
            Err(_) => SystemClock.sleep_ms(5 + attempt.min(95)).await,
        }
    }
    panic!("no answer for a minute");
}

/// Reads a shard whole and sees that it is dense, that stamps rise, that streams are chained and hashes right, and that
/// every stream reads the same by itself.
pub async fn examine(log: &impl EventLog, shard: ShardNumber) -> Vec<StoredEvent> {
    let mut events: Vec<StoredEvent> = Vec::new();
    loop {
        let after = events.len() as u64;
        let page = log.read_shard(shard, after, MAX_READ).await.expect("readable");
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let mut streams: HashMap<_, Vec<StoredEvent>> = HashMap::new();
    let mut stamp = None;
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position, position, "dense");
        assert!(stamp.is_none_or(|last| event.hlc.0 >= last + 4), "stamps rise");
        stamp = Some(event.hlc.0);
        event.verify().expect("whole");
        let stream = streams.entry(event.envelope.stream).or_default();
        assert_eq!(
            event.previous,
            stream.last().map_or(GENESIS, |last| last.hash),
            "chained"
        );
        assert_eq!(event.envelope.sequence, stream.len() as u64 + 1);
        stream.push(event.clone());
    }
    for (stream, expected) in streams.iter().take(20) {
        assert_eq!(
            &log.read_stream(*stream, 0, MAX_READ).await.expect("readable"),
            expected
        );
    }
    let head = log.heads().await.expect("readable")[&shard];
    assert_eq!(
        (head.position, head.hlc.0),
        (events.len() as u64, stamp.unwrap_or(0))
    );
    events
}
