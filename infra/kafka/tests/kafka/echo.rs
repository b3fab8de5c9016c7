//! The topics as an echo: what a restored log has lost is found there once, in whichever life it was published.

use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use vaultstream_domain::ports::conformance::publisher::history;
use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_domain::ports::echo::EchoPage;
use vaultstream_domain::ports::{Echo, Publisher};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_infra_kafka::{KafkaEcho, KafkaOptions, KafkaPublisher};
use vaultstream_kernel::mark::gone::{GoneLimits, LostEvents, lost_events};

use crate::bus::{Restored, Stranger, second_life};
use crate::place::{SHARD, options, registry, topics};

/// Fifty events, and one that began another stream.
fn first_life() -> Vec<StoredEvent> {
    let mut events = history(1, 50);
    let event = Writer::new(stream(1, 2)).event("asked for");
    events.push(StoredEvent {
        position: 51,
        hlc: Hlc(events[49].hlc.0 + 4),
        envelope: event.envelope,
        payload: event.payload,
        previous: event.previous,
        hash: event.hash,
    });
    events
}

async fn look(options: &KafkaOptions, log: &Restored, limits: GoneLimits) -> LostEvents {
    let mut echo = KafkaEcho::try_new(options, &registry()).expect("good options");
    lost_events(log, &mut echo, limits).await.expect("readable")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restored_log_has_lost_should_be_found_once() {
    let options = topics().await;
    let publisher = KafkaPublisher::try_new(&options, &registry()).expect("good options");
    let old = first_life();
    publisher.publish(SHARD, 1, &old).await.expect("acknowledged");
    publisher
        .publish(SHARD, 1, &old[20..])
        .await
        .expect("acknowledged");
    let stranger = Stranger::new(&options, format!("{}.core.events", options.prefix));
    stranger.put(1, 52, b"{}");
    stranger.done();
    let whole = Restored {
        history: Mutex::new(old),
        incarnation: AtomicU32::new(1),
    };
    let nothing = look(&options, &whole, GoneLimits::default()).await;
    assert_eq!((nothing.stated.events, nothing.damaged), (0, 1), "{nothing:?}");

    // Restored to 30, gone on to 60, and all of it published again.
    let now = second_life();
    publisher.publish(SHARD, 2, &now).await.expect("acknowledged");
    let restored = Restored {
        history: Mutex::new(now),
        incarnation: AtomicU32::new(2),
    };
    let found = look(&options, &restored, GoneLimits::default()).await;
    assert_eq!(found.ranges.keys().collect::<Vec<_>>(), [&(SHARD, 1)]);
    let range = &found.ranges[&(SHARD, 1)];
    assert_eq!((range.events, range.first, range.last), (21, 31, 51));
    assert_eq!((found.stated.events, found.stated.requests), (21, 1));
    let named: Vec<_> = found.requests.iter().map(|request| request.stream).collect();
    assert_eq!(named, [stream(1, 2)]);
    assert_eq!(found.damaged, 1);
    let again = look(&options, &restored, GoneLimits::default()).await;
    assert_eq!(again, found, "a second look finds the same");
    let limits = GoneLimits {
        events: 4,
        ..GoneLimits::default()
    };
    let cut = look(&options, &restored, limits).await;
    assert_eq!((cut.stated.events, cut.stated.is_cut), (4, true));

    // Behind what is lost, and in a shard without records, there is nothing.
    let mut echo = KafkaEcho::try_new(&options, &registry()).expect("good options");
    assert_eq!(echo.next().await.expect("nothing was begun"), EchoPage::default());
    for (shard, after) in [(SHARD, 4_000), (ShardNumber(0), 0)] {
        echo.begin(shard, after).await.expect("begun");
        let mut page = echo.next().await.expect("read");
        page.events.retain(|event| event.position > after);
        assert!(page.events.is_empty(), "{shard}: {page:?}");
    }
    echo.begin(ShardNumber(99), 0).await.expect_err("no such shard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_that_does_not_answer_should_be_an_error_and_no_report() {
    let nobody = KafkaOptions {
        patience_ms: 500,
        ..options("127.0.0.1:1".to_owned())
    };
    let mut echo = KafkaEcho::try_new(&nobody, &registry()).expect("good options");
    let refused = echo.begin(SHARD, 0).await.expect_err("nobody is there");
    assert!(refused.to_string().contains("what Kafka has"), "{refused}");
}
