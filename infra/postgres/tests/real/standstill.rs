//! A stranger who leaves a transaction open in the same database changes nothing: readers are not held back, the rows that
//! appends lock are not written anew, and an append looks at no more of the heads' table after a thousand events of a
//! stream than after a hundred. How long it all takes, with a relay and Kafka, is measured by the tests of the assemblies.

use std::time::Duration;

use sqlx::{Connection, Executor, Row};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_postgres::{DatabaseConfig, PgLog};

use super::ground::{committed, connect, database, examine, open, options, over, run};

/// An event for each stream.
async fn beat(log: &PgLog, writers: &mut [Writer]) {
    let batch = writers.iter_mut().map(|w| w.command("beat", 1)).collect();
    for outcome in log.append(batch, None).await.expect("taken") {
        committed(&outcome);
    }
}

/// What the server has counted when it knows of so many updates of heads: blocks of their table and its index that were
/// looked at, and the updates. The rows that every append locks were never written.
async fn counted(url: &str, log: &PgLog, writers: &mut [Writer], wanted: i64) -> (i64, i64) {
    let mut own = connect(url).await;
    for _ in 0..50 {
        // A server process tells what it counted at the end of a statement, at most once a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        beat(log, writers).await;
        let row = sqlx::query(
            "SELECT (b.heap_blks_read + b.heap_blks_hit + b.idx_blks_read + b.idx_blks_hit)::bigint, t.n_tup_upd, \
             (SELECT n_tup_upd + n_dead_tup FROM pg_stat_user_tables WHERE relname = 'shard') \
             FROM pg_statio_user_tables b JOIN pg_stat_user_tables t USING (relid) WHERE b.relname = 'stream_head'",
        )
        .fetch_one(&mut own)
        .await
        .expect("counted");
        let (blocks, updates) = (row.get::<i64, _>(0), row.get::<i64, _>(1));
        if updates >= wanted {
            assert_eq!(
                row.get::<i64, _>(2),
                0,
                "no version of a shard's row is left behind"
            );
            return (blocks, updates);
        }
    }
    panic!("the server never counted {wanted} updates");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_transaction_held_open_should_change_nothing() {
    let url = database().await;
    // One connection appends, so that one server process counts.
    let alone = DatabaseConfig {
        append_connections: 1,
        ..DatabaseConfig::new("main", &url)
    };
    let (log, other) = (open(&over(vec![alone])).await, open(&options(&url)).await);
    run(
        &url,
        "CREATE TABLE foreign_work (x integer); INSERT INTO foreign_work VALUES (1)",
    )
    .await;
    let mut stranger = connect(&url).await;
    let mut held = stranger.begin().await.expect("begins");
    held.execute("UPDATE foreign_work SET x = x + 1; SELECT pg_current_xact_id()")
        .await
        .expect("holds a transaction id");

    let shard = ShardNumber(0);
    let mut writers: Vec<_> = (0..4).map(|n| Writer::new(stream(0, n))).collect();
    for round in 0..150u64 {
        beat(&log, &mut writers).await;
        let seen = other.read_shard(shard, round * 4, 100).await.expect("readable");
        assert_eq!(seen.len(), 4, "what is answered can be read at once, on any node");
        let wait = other.wait_beyond(shard, round * 4 + 3);
        tokio::time::timeout(Duration::from_secs(2), wait)
            .await
            .expect("ends")
            .expect("waits");
    }
    assert_eq!(examine(&other, shard).await.len(), 600);

    let (early, updates) = counted(&url, &log, &mut writers, 600).await;
    for _ in 0..850 {
        beat(&log, &mut writers).await;
    }
    // What autovacuum does when it likes: plans are made anew, for a table that seems to have four rows.
    run(&url, "ANALYZE vaultstream.stream_head").await;
    let (late, more) = counted(&url, &log, &mut writers, updates + 3_400).await;
    for _ in 0..150 {
        beat(&log, &mut writers).await;
    }
    let (last, all) = counted(&url, &log, &mut writers, more + 600).await;
    // Blocks an event, in hundredths: of 600 events at first, and of 600 after some 4,000.
    let (first, then) = (early * 100 / updates, (last - late) * 100 / (all - more));
    println!(
        "blocks of the heads' table an event, in hundredths: {first}, and {then} a thousand versions later"
    );
    assert!(then <= 3 * first, "{first} blocks became {then}");
    held.rollback().await.expect("ends");
}
