//! What a restart keeps: everything that was answered.

use vaultstream_event_schemas::ShardNumber;

use super::super::sample::{Writer, at, stream};
use super::{Harness, append, committed};
use crate::ports::EventLog;

/// Events, heads, clocks, registry and the answers to resends survive closing and opening.
pub async fn restart_should_keep_everything(harness: &impl Harness) {
    let log = harness.fresh().await;
    let (mut a, mut b) = (Writer::new(stream(0, 1)), Writer::new(stream(4, 1)));
    let batch = vec![a.command("before", 3), b.command("before", 2)];
    let first = append(&log, batch.clone()).await;
    let heads = log.heads().await.expect("readable");
    let events = log.read_shard(ShardNumber(0), 0, 10).await.expect("readable");
    let registry = log.registry();

    let log = harness.reopen(log).await;
    assert_eq!(*log.registry(), *registry);
    assert_eq!(log.heads().await.expect("readable"), heads);
    assert_eq!(
        log.read_shard(ShardNumber(0), 0, 10).await.expect("readable"),
        events
    );
    assert_eq!(log.read_stream(a.stream, 0, 10).await.expect("readable"), events);
    assert_eq!(append(&log, batch).await, first, "a resend across the restart");

    let outcomes = log
        .append(vec![a.command("after", 1)], Some(at(-5)))
        .await
        .expect("taken");
    assert_eq!(committed(&outcomes[0]), (4, 4));
    let next = log.read_shard(ShardNumber(0), 3, 10).await.expect("readable");
    assert_eq!(
        next[0].hlc.0,
        events[2].hlc.0 + 4,
        "the clock goes on from where it stood"
    );
}
