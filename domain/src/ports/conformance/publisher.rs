//! The contract of the publisher as code, seen through the bus it publishes to.

use std::time::Duration;

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::StoredEvent;

use super::sample::{INCARNATION, START_US, Writer, stream};
use crate::ports::publisher::MAX_PUBLISH;
use crate::ports::{Bus, Publisher};

/// Makes publishers of one adapter with the shards of [`super::sample::families`].
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Publisher: Publisher + 'static;
    /// The bus it publishes to.
    type Bus: Bus;
    /// Two publishers of the same new, empty bus, and that bus.
    async fn fresh(&self) -> (Self::Publisher, Self::Publisher, Self::Bus);
}

/// `count` stored events of a shard as a log would hold them, from position 1.
pub fn history(shard: u16, count: u64) -> Vec<StoredEvent> {
    let mut writer = Writer::new(stream(shard, 1));
    let mut stored = |position: u64| {
        let event = writer.event(&position.to_string());
        StoredEvent {
            position,
            hlc: Hlc(START_US.unsigned_abs() + 4 * position),
            envelope: event.envelope,
            payload: event.payload,
            previous: event.previous,
            hash: event.hash,
        }
    };
    (1..=count).map(&mut stored).collect()
}

/// Reads a shard as a consumer does: takes `last + 1`, drops what it has, and ends at `until`. Panics at a hole.
pub async fn consume(bus: &impl Bus, shard: ShardNumber, until: u64) -> Vec<StoredEvent> {
    let mut taken: Vec<StoredEvent> = Vec::new();
    let all = async {
        while (taken.len() as u64) < until {
            let last = taken.len() as u64;
            for record in bus.fetch(shard, last, 500).await.expect("fetched") {
                let last = taken.len() as u64;
                assert!(record.position <= last + 1, "no hole behind {last}");
                if record.position == last + 1 {
                    taken.push(record);
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("everything published comes");
    taken
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    published_should_be_on_the_bus_in_order(harness).await;
    repeats_should_not_hurt(harness).await;
    too_much_should_be_refused(harness).await;
}

async fn published_should_be_on_the_bus_in_order(harness: &impl Harness) {
    let (publisher, _, bus) = harness.fresh().await;
    let histories = [0u16, 1, 3].map(|shard| (ShardNumber(shard), history(shard, 2_500)));
    for (shard, events) in &histories {
        publisher
            .publish(*shard, INCARNATION, &[])
            .await
            .expect("nothing to do");
        for part in events.chunks(MAX_PUBLISH) {
            publisher
                .publish(*shard, INCARNATION, part)
                .await
                .expect("acknowledged");
        }
    }
    for (shard, events) in &histories {
        let seen = consume(&bus, *shard, 2_500).await;
        assert!(seen == *events, "shard {shard} as it was given, and nothing else");
    }
}

/// Two publishers of one shard, one of them late and beginning again: what a consumer takes is the history.
async fn repeats_should_not_hurt(harness: &impl Harness) {
    let (one, two, bus) = harness.fresh().await;
    let shard = ShardNumber(1);
    let events = history(1, 300);
    let (first, second) = tokio::join!(
        async {
            for part in events.chunks(7) {
                one.publish(shard, INCARNATION, part).await.expect("acknowledged");
            }
        },
        async {
            for part in events.chunks(11) {
                two.publish(shard, INCARNATION, part).await.expect("acknowledged");
            }
        }
    );
    let ((), ()) = (first, second);
    one.publish(shard, INCARNATION, &events[100..200])
        .await
        .expect("acknowledged");
    let last = bus.fetch(shard, 299, 10).await.expect("fetched");
    assert!(
        last.iter().any(|record| record.position == 300),
        "the end is found"
    );
    let mut next = 1;
    while next <= 300 {
        for record in bus.fetch(shard, next - 1, 64).await.expect("fetched") {
            // Interleaved publishers may let a consumer see a later record first; it then fills the hole from the log.
            if record.position >= next {
                assert!(record == events[usize::try_from(record.position - 1).expect("small")]);
                next = record.position + 1;
            }
        }
    }
}

async fn too_much_should_be_refused(harness: &impl Harness) {
    let (publisher, _, _) = harness.fresh().await;
    let events = history(0, MAX_PUBLISH as u64 + 1);
    publisher
        .publish(ShardNumber(0), INCARNATION, &events)
        .await
        .expect_err("more than a call takes");
    publisher
        .publish(ShardNumber(999), INCARNATION, &events[..1])
        .await
        .expect_err("no such shard");
}
