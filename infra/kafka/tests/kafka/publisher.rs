//! The publisher: its suite, what a record looks like to a stranger, and a queue that is too small.

use async_trait::async_trait;
use rdkafka::message::{Headers, Message, OwnedMessage};
use vaultstream_domain::ports::Publisher;
use vaultstream_domain::ports::conformance::publisher::{self, history};
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::{ShardNumber, record};
use vaultstream_infra_kafka::{KafkaBus, KafkaPublisher};

use crate::place::{Place, SHARD, records};

struct Topics(std::sync::Mutex<Vec<Place>>);

#[async_trait]
impl publisher::Harness for Topics {
    type Publisher = KafkaPublisher;
    type Bus = KafkaBus;
    async fn fresh(&self) -> (KafkaPublisher, KafkaPublisher, KafkaBus) {
        let place = Place::new().await;
        let made = (place.publisher(), place.publisher(), place.bus());
        self.0.lock().expect("no panic while held").push(place);
        made
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_should_keep_the_contract_of_the_publisher() {
    publisher::suite(&Topics(std::sync::Mutex::default())).await;
}

fn header(record: &OwnedMessage, key: &str) -> Option<String> {
    let headers = record.headers()?;
    let header = headers.iter().find(|header| header.key == key)?;
    Some(String::from_utf8_lossy(header.value?).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_should_say_what_they_are() {
    let place = Place::new().await;
    let mut events = history(1, 3);
    events[1].envelope.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    place
        .publisher()
        .publish(SHARD, 4, &events)
        .await
        .expect("acknowledged");

    let own = records(&place.options, &place.topic(), 1, 3).await;
    for (seen, event) in own.iter().zip(&events) {
        assert_eq!(seen.key(), Some(event.envelope.stream.to_string().as_bytes()));
        assert_eq!(
            seen.payload(),
            Some(&record::encode(event).expect("canonical")[..])
        );
        for (key, value) in [
            ("position", event.position.to_string()),
            ("incarnation", "4".into()),
            ("hlc", event.hlc.0.to_string()),
            ("type", "vault.renamed".into()),
            ("version", "1".into()),
        ] {
            assert_eq!(header(seen, key), Some(value), "{key}");
        }
        assert_eq!(header(seen, "traceparent"), event.envelope.trace);
    }

    let public = format!("{}.public.core", place.options.prefix);
    let public = records(&place.options, &public, 1, 3).await;
    for (seen, event) in public.iter().zip(&events) {
        let value: PublicEvent = serde_json::from_slice(seen.payload().expect("a value")).expect("public");
        assert_eq!(
            (value.position, value.id),
            (event.position, event.envelope.event_ref())
        );
        assert_eq!(
            seen.key(),
            Some(event.envelope.organization.to_string().as_bytes())
        );
        assert_eq!(header(seen, "position"), Some(event.position.to_string()));
        assert_eq!(header(seen, "incarnation"), Some("4".into()));
        assert_eq!(header(seen, "id"), Some(value.id.to_string()));
        assert_eq!(header(seen, "type"), Some("vault.renamed".into()));
        assert_eq!(header(seen, "content-type"), Some("application/json".into()));
        assert_eq!(header(seen, "traceparent"), event.envelope.trace);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_and_future_events_should_not_reach_integrators() {
    let place = Place::new().await;
    let publisher = place.publisher();
    let mut events = history(1, 3);
    // A type that is stored and not public.
    events[1].envelope.event_type = "claim.bound".into();
    publisher.publish(SHARD, 1, &events).await.expect("acknowledged");
    let public = format!("{}.public.core", place.options.prefix);
    let seen = records(&place.options, &public, 1, 2).await;
    assert_eq!(
        seen.iter().map(|r| header(r, "position")).collect::<Vec<_>>(),
        [Some("1".into()), Some("3".into())]
    );
    // A version of tomorrow may be public: it waits, and nothing behind it goes.
    let mut future = history(1, 6).split_off(3);
    future[1].envelope.version = 9;
    let refused = publisher.publish(SHARD, 1, &future).await.expect_err("unknown");
    let source = std::error::Error::source(&refused).map(ToString::to_string);
    assert!(
        source.is_some_and(|s| s.contains("vault.renamed version 9")),
        "{refused}"
    );
    records(&place.options, &place.topic(), 1, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_queue_should_hold_callers_back_and_lose_nothing() {
    let mut place = Place::new().await;
    place.options.queue_records = 20;
    let publisher = place.publisher();
    let shards = [0u16, 1, 3, 4].map(|n| (ShardNumber(n), history(n, 400)));
    let calls = shards
        .iter()
        .map(|(shard, events)| publisher.publish(*shard, 1, events));
    for answer in futures::future::join_all(calls).await {
        answer.expect("acknowledged");
    }
    let bus = place.bus();
    for (shard, events) in &shards {
        assert!(
            publisher::consume(&bus, *shard, 400).await == *events,
            "shard {shard}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_that_is_too_large_should_be_refused_alone() {
    let place = Place::new().await;
    let publisher = place.publisher();
    let mut events = history(1, 2);
    events[1].payload = format!("{{\"name\":\"{}\"}}", "x".repeat(5 << 20)).into_bytes();
    let refused = publisher.publish(SHARD, 1, &events).await.expect_err("too large");
    let source = std::error::Error::source(&refused).map(ToString::to_string);
    assert!(
        source.is_some_and(|s| s.contains("position 2 is larger than")),
        "{refused}"
    );
    publisher
        .publish(SHARD, 1, &events[..1])
        .await
        .expect("the others go on");
}
