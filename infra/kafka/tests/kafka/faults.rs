//! A broker that dies and comes back, while events are written and read.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::conformance::publisher::consume;
use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_domain::ports::{Bus, EventLog};
use vaultstream_engines::Kafka;
use vaultstream_infra_kafka::create_topics;

use crate::bus::follow;
use crate::place::{Place, SHARD, options, registry, until};

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_that_dies_should_delay_and_lose_nothing() {
    let kafka = Arc::new(blocking(Kafka::start).await.expect("a broker of its own"));
    let mut options = options(kafka.bootstrap());
    options.patience_ms = 3_000;
    create_topics(&options, &registry()).await.expect("made");
    let place = Place::with(options);
    let shutdown = CancellationToken::new();
    let relaying = place.relay(&shutdown);
    let bus = Arc::new(place.bus());
    let mut writer = Writer::new(stream(1, 1));
    place.append(&mut writer, 300).await;
    let mut follower = place
        .tailer(bus.clone())
        .follow_from_start(SHARD)
        .await
        .expect("starts");
    follow(&mut follower, 300).await;

    let dying = kafka.clone();
    blocking(move || dying.kill()).await.expect("killed");
    place.append(&mut writer, 200).await;
    // The log is the truth: who follows gets there without the broker.
    follow(&mut follower, 500).await;
    until("the relay's complaint", || async {
        place
            .diary
            .stalls()
            .iter()
            .any(|s| s.starts_with("relay: ") && s.contains("acknowledgement"))
    })
    .await;
    assert!(
        place.diary.stalls().iter().any(|s| s.contains("no broker of")),
        "{:?}",
        place.diary.stalls()
    );

    let reborn = kafka.clone();
    blocking(move || reborn.restart()).await.expect("up again");
    place.append(&mut writer, 100).await;
    follow(&mut follower, 600).await;
    let whole = place.log.read_shard(SHARD, 0, 10_000).await.expect("readable");
    let again = place.bus();
    until("all of it on the topic", || async {
        let end = again.fetch(SHARD, 599, 1).await;
        end.is_ok_and(|end| end.iter().any(|event| event.position == 600))
    })
    .await;
    assert!(
        consume(&again, SHARD, 600).await == whole,
        "not a record is missing"
    );
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), relaying.ended())
        .await
        .expect("it ends");
}
