//! Several nodes on one database: they take turns, nothing is numbered twice, nothing is missed, and a node hears of
//! another's appends without being told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, command, stream};
use vaultstream_domain::ports::event_log::AppendOutcome;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_infra_postgres::{PgLog, PgLogOptions};

use super::ground::{committed, database, examine, open, options};

const ROUNDS: usize = 40;

/// Appends to a stream of its own in two shards in each batch, and tries for a contested stream; gives its wins.
async fn node(log: Arc<PgLog>, n: u64) -> u64 {
    let (mut core, mut chain) = (Writer::new(stream(0, n)), Writer::new(stream(3, n)));
    let mut known = Writer::new(stream(0, 1_000));
    let mut won = 0;
    for round in 0..ROUNDS {
        let mut attempt = known;
        // Half of the nodes name the shards in the other order: locks are taken in ascending order all the same.
        let mut batch = vec![
            core.command(&format!("{n}/{round}"), 1 + round % 3),
            chain.command(&format!("{n}/{round}"), 2),
            attempt.command(&format!("by {n}"), 1),
        ];
        if n.is_multiple_of(2) {
            batch.swap(0, 1);
        }
        let outcomes = log.append(batch, None).await.expect("no deadlock, no failure");
        committed(&outcomes[0]);
        committed(&outcomes[1]);
        match outcomes[2] {
            AppendOutcome::Committed { .. } => (won, known) = (won + 1, attempt),
            AppendOutcome::Conflict { actual, .. } => {
                assert_ne!(actual, known.version, "a conflict says why");
                let events = log
                    .read_stream(known.stream, known.version, 10_000)
                    .await
                    .expect("readable");
                let last = events
                    .last()
                    .expect("somebody was faster, and it can be read at once");
                known = Writer {
                    version: last.envelope.sequence,
                    hash: last.hash,
                    ..known
                };
            }
            AppendOutcome::ClockAhead => panic!("clocks are right"),
        }
    }
    won
}

/// Follows a shard to a position, seeing every position once and in order.
async fn follow(log: Arc<PgLog>, shard: ShardNumber, to: u64) -> Vec<StoredEvent> {
    let mut events: Vec<StoredEvent> = Vec::new();
    while (events.len() as u64) < to {
        let last = events.len() as u64;
        let page = log.read_shard(shard, last, 64).await.expect("readable");
        if page.is_empty() {
            log.wait_beyond(shard, last).await.expect("waits");
        }
        for event in page {
            assert_eq!(event.position, events.len() as u64 + 1, "no hole, no repetition");
            events.push(event);
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_should_take_turns_without_gap_or_double() {
    let url = database().await;
    let logs = [
        Arc::new(open(&options(&url)).await),
        Arc::new(open(&options(&url)).await),
    ];
    let chain = ShardNumber(3);
    let reader = tokio::spawn(follow(Arc::clone(&logs[0]), chain, 8 * ROUNDS as u64 * 2));
    let nodes: Vec<_> = (0..8u64)
        .map(|n| tokio::spawn(node(Arc::clone(&logs[usize::from(n % 2 == 1)]), n)))
        .collect();
    let mut won = 0;
    for node in nodes {
        won += node.await.expect("a node ends well");
    }
    let followed = tokio::time::timeout(Duration::from_secs(30), reader)
        .await
        .expect("follows to the end");
    let chain_events = examine(&*logs[1], chain).await;
    assert_eq!(followed.expect("the reader ends well"), chain_events);
    let own: usize = (0..ROUNDS).map(|round| 1 + round % 3).sum();
    let core = examine(&*logs[0], ShardNumber(0)).await;
    assert_eq!(core.len() as u64, 8 * own as u64 + won);
    let contested = logs[0]
        .read_stream(stream(0, 1_000), 0, 10_000)
        .await
        .expect("readable");
    assert_eq!(contested.len() as u64, won, "one winner a version");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousand_commands_at_once_should_all_be_answered() {
    let log = Arc::new(open(&options(&database().await)).await);
    let sent = (0..1_000u64).map(|n| {
        let log = Arc::clone(&log);
        let shard = [0, 1, 3, 4][usize::try_from(n % 4).expect("small")];
        tokio::spawn(async move {
            let outcomes = log
                .append(vec![Writer::new(stream(shard, n)).command("at once", 1)], None)
                .await;
            committed(&outcomes.expect("answered")[0])
        })
    });
    let mut places = Vec::new();
    for (answer, n) in join_all(sent).await.into_iter().zip(0..) {
        let (first, last) = answer.expect("a caller ends well");
        assert_eq!(first, last);
        places.push((n % 4, first));
    }
    places.sort_unstable();
    let expected: Vec<_> = (0..4)
        .flat_map(|shard| (1..=250).map(move |position| (shard, position)))
        .collect();
    assert_eq!(places, expected);
    for shard in [0, 1, 3, 4] {
        assert_eq!(examine(&*log, ShardNumber(shard)).await.len(), 250);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_should_hear_of_anothers_append_within_milliseconds() {
    let url = database().await;
    let (here, there) = (Arc::new(open(&options(&url)).await), open(&options(&url)).await);
    let shard = ShardNumber(4);
    let mut writer = Writer::new(stream(4, 1));
    let mut delays = Vec::new();
    for position in 0..20 {
        let waiting = {
            let here = Arc::clone(&here);
            tokio::spawn(async move {
                here.wait_beyond(shard, position).await.expect("waits");
                Instant::now()
            })
        };
        // Long enough for the wait to have begun.
        tokio::time::sleep(Duration::from_millis(15)).await;
        there
            .append(vec![writer.command("elsewhere", 1)], None)
            .await
            .expect("taken");
        let appended = Instant::now();
        let woken = waiting.await.expect("ends well");
        delays.push(woken.saturating_duration_since(appended));
        assert_eq!(
            here.read_shard(shard, position, 10)
                .await
                .expect("readable")
                .len(),
            1
        );
    }
    delays.sort_unstable();
    assert!(
        delays[delays.len() / 2] < Duration::from_millis(100),
        "{delays:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_should_be_crossed_unnoticed() {
    let url = database().await;
    let small = PgLogOptions {
        segment: 50,
        ..options(&url)
    };
    let log = open(&small).await;
    let mut writers: Vec<_> = (0..10).map(|n| Writer::new(stream(0, n))).collect();
    for round in 0..30 {
        let batch = writers
            .iter_mut()
            .map(|w| w.command(&format!("round {round}"), 1))
            .collect();
        for outcome in log.append(batch, None).await.expect("taken") {
            committed(&outcome);
        }
    }
    // One command larger than a segment, and a batch larger than all that was made ahead.
    let mut long = Writer::new(stream(0, 100));
    let outcomes = log
        .append(vec![long.command("long", 120)], None)
        .await
        .expect("taken");
    assert_eq!(committed(&outcomes[0]), (301, 420));
    let batch = (0..400)
        .map(|n| Writer::new(stream(0, 200 + n)).command("many", 2))
        .collect();
    log.append(batch, None).await.expect("taken");
    let events = examine(&log, ShardNumber(0)).await;
    assert_eq!(events.len(), 1_220);
    let tail = log.read_stream(long.stream, 100, 10).await.expect("readable");
    assert_eq!(
        tail.iter().map(|e| e.envelope.sequence).collect::<Vec<_>>(),
        (101..=110).collect::<Vec<_>>()
    );
    log.close().await;

    let log = open(&PgLogOptions {
        segment: 7,
        ..options(&url)
    })
    .await;
    let guard = command(vec![
        long.unchanged(),
        Writer::new(stream(0, 999)).append("goes on", 1),
    ]);
    let outcomes = log.append(vec![guard], None).await.expect("taken");
    assert_eq!(
        committed(&outcomes[0]),
        (1_221, 1_221),
        "the size of a segment is what it was at first"
    );
}
