//! A stranger who leaves a transaction open in the same database changes nothing: readers are not held back, and
//! nothing that appends touch piles up versions that could not be cleared away.

use std::time::Duration;

use sqlx::{Connection, Executor, Row};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_event_schemas::ShardNumber;

use super::ground::{committed, connect, database, examine, open, options, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_transaction_held_open_should_change_nothing() {
    let url = database().await;
    let (log, other) = (open(&options(&url)).await, open(&options(&url)).await);
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
        let batch = writers
            .iter_mut()
            .map(|w| w.command(&format!("round {round}"), 1))
            .collect();
        for outcome in log.append(batch, None).await.expect("taken") {
            committed(&outcome);
        }
        let seen = other.read_shard(shard, round * 4, 100).await.expect("readable");
        assert_eq!(seen.len(), 4, "what is answered can be read at once, on any node");
        let wait = other.wait_beyond(shard, round * 4 + 3);
        tokio::time::timeout(Duration::from_secs(2), wait)
            .await
            .expect("ends")
            .expect("waits");
    }
    assert_eq!(examine(&other, shard).await.len(), 600);

    // Counted by the server: the rows that every append locks were never written anew.
    let mut own = connect(&url).await;
    sqlx::query("SELECT pg_stat_force_next_flush()")
        .execute(&mut own)
        .await
        .expect("flushes");
    let row = sqlx::query("SELECT n_tup_upd, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'shard'")
        .fetch_one(&mut own)
        .await
        .expect("counted");
    assert_eq!(
        (row.get::<i64, _>(0), row.get::<i64, _>(1)),
        (0, 0),
        "no version of a shard's row is left behind"
    );
    held.rollback().await.expect("ends");
}
