//! Shards on several databases, and shards that live another life.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, command, stream};
use vaultstream_domain::ports::event_log::{AppendOutcome, LogError, Snapshot};
use vaultstream_event_schemas::{Family, ShardNumber};
use vaultstream_infra_postgres::{DatabaseConfig, Part, PgLog, PgLogOptions, Shards};

use super::ground::{ShiftedClock, committed, connect, database, examine, insist, open, options, over, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_over_several_databases_should_be_answered_in_its_order() {
    let urls = [database().await, database().await, database().await];
    let chain = sample::families()[2].0.clone();
    let configs = vec![
        DatabaseConfig::new("core", &urls[0]).keeping(Shards::families([Family::Core])),
        DatabaseConfig::new("audit", &urls[1]).keeping(Shards::families([Family::Audit])),
        DatabaseConfig::new("chain", &urls[2]).keeping(Shards::families([chain])),
    ];
    let log = open(&over(configs)).await;
    let mut writers: Vec<_> = [4, 0, 2, 3, 1]
        .iter()
        .map(|shard| Writer::new(stream(*shard, 1)))
        .collect();
    for round in 0..5u64 {
        let mut batch: Vec<_> = writers.iter_mut().map(|w| w.command("everywhere", 1)).collect();
        batch.insert(
            2,
            Writer {
                version: 77,
                ..Writer::new(stream(3, 9))
            }
            .command("nowhere", 1),
        );
        let outcomes = log.append(batch, Some(at(0))).await.expect("taken");
        let conflict = AppendOutcome::Conflict {
            stream: stream(3, 9),
            actual: 0,
        };
        for (n, outcome) in outcomes.iter().enumerate() {
            if n == 2 {
                assert_eq!(*outcome, conflict);
            } else {
                assert_eq!(committed(outcome), (round + 1, round + 1));
            }
        }
    }
    for shard in 0..5 {
        assert_eq!(examine(&log, ShardNumber(shard)).await.len(), 5);
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM vaultstream.event")
        .fetch_one(&mut connect(&urls[1]).await)
        .await
        .expect("counted");
    assert_eq!(kept, 5, "the audit shard and nothing else");
    let snapshot = Snapshot {
        sequence: 5,
        hash: [1; 32],
        state: vec![1],
    };
    log.save_snapshot(stream(4, 1), 1, snapshot.clone())
        .await
        .expect("kept");
    assert_eq!(
        log.load_snapshot(stream(4, 1), 1).await.expect("readable"),
        Some(snapshot)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chain_should_span_databases() {
    let urls = [database().await, database().await];
    let part = |family: &Family, k| Part {
        family: family.clone(),
        k,
    };
    let chain = &sample::families()[2].0;
    let configs = |last: &str| {
        let first = vec![
            part(&Family::Core, None),
            part(&Family::Audit, None),
            part(chain, Some(0..=0)),
        ];
        vec![
            DatabaseConfig::new("first", &urls[0]).keeping(Shards::Parts(first)),
            DatabaseConfig::new(last, &urls[1]).keeping(Shards::Parts(vec![part(chain, Some(1..=1))])),
        ]
    };
    let log = open(&over(configs("second"))).await;
    let mut writers = [Writer::new(stream(3, 1)), Writer::new(stream(4, 1))];
    for round in 1..=5u64 {
        let batch = writers.iter_mut().map(|w| w.command("both", 1)).collect();
        for outcome in log.append(batch, Some(at(0))).await.expect("taken") {
            assert_eq!(committed(&outcome), (round, round));
        }
    }
    for (url, shard) in [(&urls[0], 3), (&urls[1], 4)] {
        assert_eq!(examine(&log, ShardNumber(shard)).await.len(), 5);
        let kept: Vec<i32> = sqlx::query_scalar("SELECT DISTINCT shard FROM vaultstream.event")
            .fetch_all(&mut connect(url).await)
            .await
            .expect("listed");
        assert_eq!(kept, [i32::from(shard)], "each database has its own part");
    }
    open(&over(configs("second"))).await;
    let moved = PgLog::open(&over(configs("another"))).await.expect_err("moved");
    assert!(
        moved.to_string().contains("shard 4 is kept in database second"),
        "{moved}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_database_that_fails_should_leave_the_others_answerable() {
    let urls = [database().await, database().await];
    let configs = vec![
        DatabaseConfig::new("a", &urls[0]).keeping(Shards::families([Family::Core, Family::Audit])),
        DatabaseConfig {
            append_timeout: Duration::from_millis(400),
            ..DatabaseConfig::new("b", &urls[1])
        }
        .keeping(Shards::families([sample::families()[2].0.clone()])),
    ];
    let log = open(&over(configs)).await;
    run(
        &urls[1],
        "ALTER FUNCTION vaultstream.append RENAME TO append_gone",
    )
    .await;
    let batch = vec![
        Writer::new(stream(0, 1)).command("here", 1),
        Writer::new(stream(3, 1)).command("there", 1),
    ];
    let failed = log.append(batch.clone(), None).await;
    assert!(matches!(failed, Err(LogError::Engine { .. })), "{failed:?}");
    assert_eq!(
        committed(&insist(&log, &batch[0]).await),
        (1, 1),
        "whether or not it was written the first time"
    );
    run(
        &urls[1],
        "ALTER FUNCTION vaultstream.append_gone RENAME TO append",
    )
    .await;
    for outcome in log.append(batch, None).await.expect("taken") {
        assert_eq!(committed(&outcome), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_life_of_a_shard_should_be_noticed_by_the_append_itself() {
    let url = database().await;
    let log = open(&options(&url)).await;
    let mut old = Writer::new(stream(0, 1));
    log.append(vec![old.command("first life", 1)], None)
        .await
        .expect("taken");
    run(
        &url,
        "UPDATE vaultstream.shard SET incarnation = 2 WHERE number = 0",
    )
    .await;
    let late = old.command("too late", 1);
    let neighbour = Writer::new(stream(1, 1)).command("beside", 1);
    match log.append(vec![neighbour.clone(), late.clone()], None).await {
        Err(LogError::Incarnation { shard, actual, given }) => {
            assert_eq!((shard, actual, given), (ShardNumber(0), 2, 1));
        }
        other => panic!("not refused: {other:?}"),
    }
    let heads = log.heads().await.expect("readable");
    assert_eq!(
        (
            heads[&ShardNumber(0)].incarnation,
            heads[&ShardNumber(0)].position
        ),
        (2, 1)
    );
    assert_eq!(
        heads[&ShardNumber(1)].position,
        0,
        "nothing of the batch was written"
    );

    let mut new = Writer {
        incarnation: 2,
        ..Writer::new(stream(0, 2))
    };
    let other = open(&options(&url)).await;
    assert_eq!(
        committed(&insist(&other, &new.command("second life", 1)).await),
        (2, 2)
    );
    assert_eq!(
        committed(&insist(&log, &new.command("second life", 1)).await),
        (3, 3)
    );
    run(
        &url,
        "UPDATE vaultstream.shard SET incarnation = 3 WHERE number = 0",
    )
    .await;
    let newest = Writer {
        incarnation: 3,
        ..Writer::new(stream(0, 3))
    }
    .command("third life", 1);
    let outcomes = log
        .append(vec![newest], None)
        .await
        .expect("a node that knew an older life asks before it refuses");
    assert_eq!(committed(&outcomes[0]), (4, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_clock_that_runs_ahead_should_stop_appends_and_nothing_else() {
    let clock = Arc::new(ShiftedClock::default());
    let here: Arc<ShiftedClock> = Arc::clone(&clock);
    let log = open(&PgLogOptions {
        clock: here,
        ..options(&database().await)
    })
    .await;
    let mut writer = Writer::new(stream(0, 1));
    let first = writer.command("in time", 1);
    let told = log.append(vec![first.clone()], None).await.expect("taken");
    clock
        .0
        .store(AtomicI64::new(-3_600_000_000).into_inner(), Ordering::Release);
    let mut ahead = writer;
    let batch = vec![
        ahead.command("an hour ahead", 1),
        command(vec![writer.unchanged()]),
        first,
    ];
    let outcomes = log.append(batch, None).await.expect("taken");
    assert_eq!(outcomes[0], AppendOutcome::ClockAhead);
    assert_eq!(committed(&outcomes[1]), (1, 1), "a condition needs no clock");
    assert_eq!(outcomes[2], told[0], "a resend needs no clock");
    clock.0.store(0, Ordering::Release);
    assert_eq!(
        committed(&insist(&log, &writer.command("mended", 1)).await),
        (2, 2)
    );
}
