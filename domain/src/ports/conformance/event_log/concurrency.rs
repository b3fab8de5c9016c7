//! Writers beside writers, readers beside writers.

use std::sync::Arc;
use std::time::Duration;

use vaultstream_event_schemas::ShardNumber;

use super::super::sample::{Writer, stream};
use super::append;
use crate::ports::EventLog;
use crate::ports::event_log::AppendOutcome;

const WRITERS: u64 = 8;
const ROUNDS: usize = 40;

/// Writers race for one stream and write their own; every reader sees a prefix that only grows, and the race has
/// exactly one winner a version.
pub async fn readers_should_see_a_growing_prefix<L: EventLog + 'static>(log: L) {
    let log = Arc::new(log);
    let contested = stream(0, 1_000);
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(write(Arc::clone(&log), n, contested)))
        .collect();
    let reader = tokio::spawn(read(Arc::clone(&log)));
    let mut won = 0;
    for writer in writers {
        won += writer.await.expect("a writer ends well");
    }
    let seen = reader.await.expect("the reader ends well");
    assert_eq!(seen, WRITERS * ROUNDS as u64 + won);
    let contested = log.read_stream(contested, 0, 10_000).await.expect("readable");
    assert_eq!(contested.len() as u64, won, "one winner a version");
}

/// Appends to its own stream, and tries for the contested one; gives how often it won that.
async fn write<L: EventLog>(log: Arc<L>, n: u64, contested: vaultstream_event_schemas::StreamId) -> u64 {
    let mut own = Writer::new(stream(0, n));
    let mut known = Writer::new(contested);
    let mut won = 0;
    for round in 0..ROUNDS {
        let mut attempt = known;
        let batch = vec![
            own.command(&format!("{n}/{round}"), 1),
            attempt.command(&format!("by {n}"), 1),
        ];
        let outcomes = append(&*log, batch).await;
        assert!(
            matches!(outcomes[0], AppendOutcome::Committed { .. }),
            "nobody else writes this stream"
        );
        match outcomes[1] {
            AppendOutcome::Committed { .. } => {
                won += 1;
                known = attempt;
            }
            AppendOutcome::Conflict { .. } => {
                let events = log
                    .read_stream(contested, known.version, 10_000)
                    .await
                    .expect("readable");
                if let Some(last) = events.last() {
                    known = Writer {
                        version: last.envelope.sequence,
                        hash: last.hash,
                        ..known
                    };
                }
            }
            AppendOutcome::ClockAhead => panic!("time stands still"),
        }
    }
    won
}

/// Follows the shard until it has been quiet for a while; gives the last position.
async fn read<L: EventLog>(log: Arc<L>) -> u64 {
    let mut last = 0;
    let mut quiet = 0;
    while quiet < 3 {
        let events = log.read_shard(ShardNumber(0), last, 64).await.expect("readable");
        quiet = if events.is_empty() { quiet + 1 } else { 0 };
        for event in &events {
            assert_eq!(event.position, last + 1, "no hole, no repetition");
            last = event.position;
        }
        if events.is_empty() {
            log.wait_beyond(ShardNumber(0), last).await.expect("waits");
        }
    }
    last
}

/// Waiting ends soon after the head passes, and never lasts much over a second.
pub async fn waiting_should_end_with_the_next_commit<L: EventLog + 'static>(log: L) {
    let log = Arc::new(log);
    let shard = ShardNumber(3);
    let idle = tokio::time::timeout(Duration::from_secs(5), log.wait_beyond(shard, 0)).await;
    idle.expect("an idle wait ends by itself").expect("waits");

    let waiting = {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            while log.read_shard(shard, 0, 1).await.expect("readable").is_empty() {
                log.wait_beyond(shard, 0).await.expect("waits");
            }
        })
    };
    append(&*log, vec![Writer::new(stream(3, 1)).command("wake up", 1)]).await;
    tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .expect("woken")
        .expect("ends well");
    let passed = tokio::time::timeout(Duration::from_millis(900), log.wait_beyond(shard, 0)).await;
    passed.expect("no wait for what has passed").expect("waits");
}
