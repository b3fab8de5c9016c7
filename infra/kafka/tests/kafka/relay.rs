//! From the log over the relay and the broker to a reader, with relays that come and go.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_event_schemas::ShardNumber;

use crate::bus::follow;
use crate::place::{Place, SHARD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_should_come_live_and_dense_from_every_shard() {
    let place = Arc::new(Place::new().await);
    let shutdown = CancellationToken::new();
    let relaying = place.relay(&shutdown);
    let bus = Arc::new(place.bus());
    let mut reading = Vec::new();
    for shard in [0u16, 1, 2, 3, 4] {
        let (place, bus) = (place.clone(), bus.clone());
        reading.push(tokio::spawn(async move {
            let tailer = place.tailer(bus);
            let mut follower = tailer
                .follow_from_start(ShardNumber(shard))
                .await
                .expect("starts");
            let mut writer = Writer::new(stream(shard, 1));
            for round in 1..=20 {
                place.append(&mut writer, 30).await;
                follow(&mut follower, round * 30).await;
            }
            follower.mark().position
        }));
    }
    for reader in reading {
        assert_eq!(reader.await.expect("read"), 600);
    }
    shutdown.cancel();
    relaying.ended().await;
    assert_eq!(place.diary.stalls(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_that_begins_again_should_not_be_noticed() {
    let place = Place::new().await;
    let mut writer = Writer::new(stream(1, 1));
    place.append(&mut writer, 400).await;
    let tailer = place.tailer(Arc::new(place.bus()));
    let mut follower = tailer.follow_from_start(SHARD).await.expect("starts");
    let mut seen = Vec::new();
    for life in 1..=3u64 {
        let shutdown = CancellationToken::new();
        let relaying = place.relay(&shutdown);
        place.append(&mut writer, 100).await;
        seen.extend(follow(&mut follower, 400 + 100 * life).await.0);
        shutdown.cancel();
        relaying.ended().await;
        place.forget();
    }
    assert!(seen == place.log.read_shard(SHARD, 0, 10_000).await.expect("readable"));
}
