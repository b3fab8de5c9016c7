//! What breaks: the server is killed, connections are cut, locks are held, callers go away. Whatever was answered is in
//! the log, whatever was not is resolved by sending it again, and nothing is in it twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Connection;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, LogError};
use vaultstream_engines::Postgres;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_postgres::{DatabaseConfig, PgLog};

use super::ground::{committed, connect, database, database_on, examine, insist, open, options, over};

/// What a caller sent and what it was told.
type Told = Vec<(AppendCommand, AppendOutcome)>;

/// Appends to one stream until told to stop, insisting on an answer for every command.
async fn caller(log: Arc<PgLog>, shard: u16, n: u64, stop: Arc<AtomicBool>) -> Told {
    let mut writer = Writer::new(stream(shard, n));
    let mut told = Told::new();
    while !stop.load(Ordering::Acquire) {
        let command = writer.command(&format!("{n}/{}", told.len()), 1 + told.len() % 2);
        let outcome = insist(&log, &command).await;
        committed(&outcome);
        told.push((command, outcome));
    }
    told
}

fn start(log: &Arc<PgLog>, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<Told>> {
    (0..6)
        .map(|n| {
            tokio::spawn(caller(
                Arc::clone(log),
                if n % 2 == 0 { 0 } else { 3 },
                n,
                Arc::clone(stop),
            ))
        })
        .collect()
}

/// Everything told is in the log, once, and is told again in the same words.
async fn reckon(log: &PgLog, callers: Vec<tokio::task::JoinHandle<Told>>) {
    let mut told = Told::new();
    for caller in callers {
        told.extend(caller.await.expect("a caller ends well"));
    }
    let stored = examine(log, ShardNumber(0)).await.len() + examine(log, ShardNumber(3)).await.len();
    let sent: usize = told
        .iter()
        .map(|(command, _)| command.streams[0].events.len())
        .sum();
    assert_eq!(stored, sent, "once each");
    for part in told.chunks(500) {
        let batch = part.iter().map(|(command, _)| command.clone()).collect();
        let again = log.append(batch, None).await.expect("taken");
        for ((_, first), again) in part.iter().zip(again) {
            assert_eq!(*first, again, "the first answer");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_events_should_survive_the_death_of_the_server() {
    let server = Arc::new(
        tokio::task::spawn_blocking(Postgres::start)
            .await
            .expect("runs")
            .expect("starts"),
    );
    let url = database_on(&server.url()).await;
    let log = Arc::new(open(&options(&url)).await);
    let stop = Arc::new(AtomicBool::new(false));
    let callers = start(&log, &stop);
    for life in 0..3 {
        let shard = ShardNumber(0);
        let before = log.heads().await.expect("readable")[&shard].position;
        // A different moment each time, always after some commits.
        while log.heads().await.expect("readable")[&shard].position < before + 40 + 31 * life {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let server = Arc::clone(&server);
        let restarted = tokio::task::spawn_blocking(move || server.kill().and_then(|()| server.restart()));
        restarted.await.expect("runs").expect("killed and started again");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Release);
    reckon(&log, callers).await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statements_that_are_cut_should_be_resolved_by_sending_again() {
    let url = database().await;
    let log = Arc::new(open(&options(&url)).await);
    let stop = Arc::new(AtomicBool::new(false));
    let callers = start(&log, &stop);
    let mut axe = connect(&url).await;
    let mut cut = 0;
    // Until enough was cut and enough was written all the same.
    while cut < 25 || log.heads().await.expect("readable")[&ShardNumber(0)].position < 60 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'vaultstream-append'",
        )
        .fetch_one(&mut axe)
        .await
        .expect("cuts");
        cut += ended;
    }
    stop.store(true, Ordering::Release);
    reckon(&log, callers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_that_goes_away_should_leave_a_command_that_can_be_asked_for() {
    let log = Arc::new(open(&options(&database().await)).await);
    for n in 0..30u64 {
        let command = Writer::new(stream(0, n)).command("left behind", 3);
        let sent = {
            let (log, command) = (Arc::clone(&log), command.clone());
            tokio::spawn(async move { log.append(vec![command], None).await })
        };
        tokio::time::sleep(Duration::from_micros(n * 100)).await;
        sent.abort();
        let first = insist(&log, &command).await;
        committed(&first);
        assert_eq!(insist(&log, &command).await, first);
    }
    assert_eq!(examine(&*log, ShardNumber(0)).await.len(), 90, "once each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shard_that_is_held_should_fail_in_time_and_hold_up_nobody_else() {
    let url = database().await;
    let config = DatabaseConfig {
        append_timeout: Duration::from_millis(600),
        ..DatabaseConfig::new("main", &url)
    };
    let log = open(&over(vec![config])).await;
    let mut stranger = connect(&url).await;
    let mut held = stranger.begin().await.expect("begins");
    sqlx::query("SELECT 1 FROM vaultstream.shard WHERE number = 0 FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("held");
    let command = Writer::new(stream(0, 1)).command("waits", 1);
    let refused = log.append(vec![command.clone()], None).await;
    assert!(matches!(refused, Err(LogError::Engine { .. })), "{refused:?}");
    let beside = log
        .append(vec![Writer::new(stream(1, 1)).command("beside", 1)], None)
        .await;
    assert_eq!(committed(&beside.expect("another shard")[0]), (1, 1));
    assert!(
        log.read_shard(ShardNumber(0), 0, 10)
            .await
            .expect("readers do not wait")
            .is_empty()
    );
    held.rollback().await.expect("let go");
    assert_eq!(committed(&insist(&log, &command).await), (1, 1));
}
