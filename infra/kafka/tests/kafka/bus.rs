//! The bus: any place is found, readers share it, retention is a hole that the log fills, and nothing that stands on
//! the topic makes a reader wrong or stuck.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::conformance::bus;
use vaultstream_domain::ports::conformance::publisher::{consume, history};
use vaultstream_domain::ports::conformance::sample::{self, Writer, stream};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, Head, LogError, Snapshot};
use vaultstream_domain::ports::{Bus, EventLog, Publisher};
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Registry, ShardNumber, StreamId, Timestamp, record};
use vaultstream_infra_kafka::{KafkaBus, KafkaOptions};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Follower, Tailer, TracingObserver};

use crate::place::{Place, SHARD, client, registry, topics};

/// Follows to a position; panics when that takes too long. Gives the events and the sizes of the batches.
pub async fn follow(follower: &mut Follower, until: u64) -> (Vec<StoredEvent>, Vec<usize>) {
    let (mut events, mut sizes) = (Vec::new(), Vec::new());
    let all = async {
        while follower.mark().position < until {
            if let Some(batch) = follower.next().await.expect("goes on") {
                sizes.push(batch.events.len());
                events.extend(batch.events);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("not stuck");
    (events, sizes)
}

/// Records behind `after`, on a machine that may be slow.
async fn fetch_some(bus: &impl Bus, after: u64, limit: usize) -> Vec<StoredEvent> {
    for _ in 0..20 {
        let found = bus.fetch(SHARD, after, limit).await.expect("fetched");
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_should_keep_the_contract_of_the_bus() {
    let place = Place::new().await;
    let shutdown = CancellationToken::new();
    let relaying = place.relay(&shutdown);
    bus::suite(&*place.log, &place.bus()).await;
    shutdown.cancel();
    relaying.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_should_be_found_among_repeats() {
    let place = Place::new().await;
    let publisher = place.publisher();
    let events = history(1, 3_000);
    for part in events.chunks(250) {
        publisher.publish(SHARD, 1, part).await.expect("acknowledged");
        // A relay that lost its cursor begins a little earlier.
        publisher
            .publish(SHARD, 1, &part[100..])
            .await
            .expect("acknowledged");
    }
    let bus = place.bus();
    let mut seed = 7u64;
    for _ in 0..40 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let after = (seed >> 33) % 3_000;
        let found = fetch_some(&bus, after, 5).await;
        let expected: Vec<_> = (after + 1..=3_000).take(5).collect();
        let found: Vec<_> = found.iter().map(|event| event.position).collect();
        assert_eq!(found, expected[..found.len()], "behind {after}");
        assert!(!found.is_empty(), "behind {after}");
    }
    let begun = std::time::Instant::now();
    assert!(bus.fetch(SHARD, 3_000, 5).await.expect("fetched").is_empty());
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "an idle fetch ends by itself"
    );
    assert!(bus.fetch(SHARD, 0, 0).await.expect("fetched").is_empty());
    bus.fetch(ShardNumber(99), 0, 1).await.expect_err("no such shard");
    assert!(consume(&bus, SHARD, 3_000).await == events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_should_share_a_place_wherever_they_stand() {
    let place = Place::new().await;
    let (publisher, bus) = (place.publisher(), Arc::new(place.bus()));
    let events = history(1, 4_000);
    publisher
        .publish(SHARD, 1, &events[..1_500])
        .await
        .expect("acknowledged");
    let readers = (0..4).map(|_| {
        let bus = bus.clone();
        tokio::spawn(async move { consume(&*bus, SHARD, 4_000).await })
    });
    let readers: Vec<_> = readers.collect();
    for part in events[1_500..].chunks(50) {
        publisher.publish(SHARD, 1, part).await.expect("acknowledged");
        // One that is dropped in the middle leaves the place to the others.
        let hasty = tokio::time::timeout(Duration::from_micros(300), bus.fetch(SHARD, 17, 500));
        let _ = hasty.await;
    }
    for reader in readers {
        assert!(reader.await.expect("read") == events);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_topic_should_serve_all_readers_once_it_fills() {
    let place = Place::new().await;
    let (publisher, bus) = (place.publisher(), place.bus());
    assert!(bus.fetch(SHARD, 50_000, 5).await.expect("fetched").is_empty());
    let events = history(1, 40);
    publisher
        .publish(SHARD, 1, &events[20..])
        .await
        .expect("acknowledged");
    let positions = |found: Vec<StoredEvent>| found.iter().map(|e| e.position).collect::<Vec<_>>();
    assert_eq!(positions(fetch_some(&bus, 0, 2).await), [21, 22], "what there is");
    assert_eq!(positions(fetch_some(&bus, 30, 1).await), [31]);
    assert!(bus.fetch(SHARD, 50_000, 5).await.expect("fetched").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_below_retention_should_scan_the_log_and_join_live() {
    let place = Place::new().await;
    let shutdown = CancellationToken::new();
    let relaying = place.relay(&shutdown);
    let mut writer = Writer::new(stream(1, 1));
    place.append(&mut writer, 900).await;
    let bus = Arc::new(place.bus());
    consume(&*bus, SHARD, 900).await;
    place.remove_before(700).await;

    let late = Arc::new(place.bus());
    let first = fetch_some(&*late, 0, 10).await;
    assert_eq!(
        first.first().map(|event| event.position),
        Some(701),
        "what it has, behind a hole"
    );
    let mut follower = place.tailer(late).follow_from_start(SHARD).await.expect("starts");
    let (events, sizes) = follow(&mut follower, 900).await;
    assert!(events == place.log.read_shard(SHARD, 0, 10_000).await.expect("readable"));
    assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
    let refilled = place.diary.refilled();
    assert!((700..=900).contains(&refilled), "{refilled} from the log");
    place.append(&mut writer, 50).await;
    follow(&mut follower, 950).await;
    assert_eq!(place.diary.refilled(), refilled, "live comes over the bus");

    // The reader whose next record left while it slept goes on, too.
    place.append(&mut writer, 200).await;
    consume(&*bus, SHARD, 1_150).await;
    let mut slow = place
        .tailer(Arc::new(place.bus()))
        .follow_from_start(SHARD)
        .await
        .expect("starts");
    follow(&mut slow, 100).await;
    place.remove_before(1_100).await;
    let (rest, _) = follow(&mut slow, 1_150).await;
    assert_eq!(rest.last().map(|event| event.position), Some(1_150));
    shutdown.cancel();
    relaying.ended().await;
}

/// Puts records of any kind on the topic.
pub struct Stranger {
    producer: BaseProducer,
    topic: String,
}

impl Stranger {
    pub fn new(options: &KafkaOptions, topic: String) -> Self {
        Self {
            producer: client(options).create().expect("a client"),
            topic,
        }
    }
    fn raw(&self, headers: &[(&str, String)], value: &[u8]) {
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        });
        let record = BaseRecord::<(), [u8]>::to(&self.topic)
            .partition(1)
            .headers(headers)
            .payload(value);
        self.producer.send(record).map_err(|(e, _)| e).expect("queued");
    }
    pub fn put(&self, incarnation: u32, position: u64, value: &[u8]) {
        let headers = [
            ("position", position.to_string()),
            ("incarnation", incarnation.to_string()),
        ];
        self.raw(&headers, value);
    }
    fn good(&self, event: &StoredEvent) {
        self.put(1, event.position, &record::encode(event).expect("canonical"));
    }
    pub fn done(&self) {
        self.producer
            .flush(Duration::from_secs(10))
            .expect("acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_records_should_neither_mislead_nor_stop_a_reader() {
    let place = Place::new().await;
    place.append(&mut Writer::new(stream(1, 1)), 30).await;
    let events = place.log.read_shard(SHARD, 0, 100).await.expect("readable");
    let at = |position: usize| &events[position - 1];
    let cut = |position: usize| {
        let whole = record::encode(at(position)).expect("canonical");
        whole[..whole.len() / 2].to_vec()
    };
    let stranger = Stranger::new(&place.options, place.topic());
    (1..=10).for_each(|n| stranger.good(at(n)));
    (5..=10).for_each(|n| stranger.good(at(n)));
    stranger.put(1, 11, &cut(11));
    (12..=14).for_each(|n| stranger.good(at(n)));
    stranger.raw(&[], b"hello");
    stranger.put(1, 0, b"");
    // Another event than the headers say, another shard's event, an event that was changed, and one of a left history.
    stranger.put(1, 15, &record::encode(at(16)).expect("canonical"));
    let foreign = history(0, 16);
    stranger.put(1, 16, &record::encode(&foreign[15]).expect("canonical"));
    let mut changed = at(17).clone();
    changed.envelope.sequence = 99;
    stranger.put(1, 17, &record::encode(&changed).expect("canonical"));
    let left = history(1, 18);
    stranger.put(0, 18, &record::encode(&left[17]).expect("canonical"));
    // A life the log does not know.
    stranger.put(7, 18, &record::encode(&left[17]).expect("canonical"));
    (18..=29).for_each(|n| stranger.good(at(n)));
    // A position the log does not have, and the newest record of all, cut.
    stranger.put(1, 4_000, b"{}");
    stranger.put(1, 30, &cut(30));
    stranger.done();

    let mut follower = place
        .tailer(Arc::new(place.bus()))
        .follow_from_start(SHARD)
        .await
        .expect("starts");
    let (seen, _) = follow(&mut follower, 30).await;
    assert!(seen == events, "the log's events and nothing else");
    let bus = place.bus();
    assert!(
        consume(&bus, SHARD, 30).await == events,
        "the bus alone is whole, too"
    );
}

/// A log that is restored while others read: what it says is set by the test.
pub struct Restored {
    pub history: Mutex<Vec<StoredEvent>>,
    pub incarnation: AtomicU32,
}

impl Restored {
    fn events(&self) -> Vec<StoredEvent> {
        self.history.lock().expect("no panic while held").clone()
    }
}

#[async_trait]
impl EventLog for Restored {
    fn registry(&self) -> Arc<Registry> {
        Arc::new(registry())
    }
    async fn append(
        &self,
        _: Vec<AppendCommand>,
        _: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        Err(LogError::Malformed("this log is only read".into()))
    }
    async fn read_stream(&self, _: StreamId, _: u64, _: usize) -> Result<Vec<StoredEvent>, LogError> {
        Ok(Vec::new())
    }
    async fn read_shard(
        &self,
        _: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let after = usize::try_from(after).expect("small");
        Ok(self.events().into_iter().skip(after).take(limit).collect())
    }
    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        let head = Head {
            incarnation: self.incarnation.load(Ordering::SeqCst),
            position: self.events().len() as u64,
            hlc: Hlc(1),
        };
        Ok(BTreeMap::from([(SHARD, head)]))
    }
    async fn wait_beyond(&self, _: ShardNumber, _: u64) -> Result<(), LogError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
    async fn load_snapshot(&self, _: StreamId, _: u32) -> Result<Option<Snapshot>, LogError> {
        Ok(None)
    }
    async fn save_snapshot(&self, _: StreamId, _: u32, _: Snapshot) -> Result<(), LogError> {
        Ok(())
    }
}

/// Sixty events of which the first thirty were written in the first life, and the others in the second.
pub fn second_life() -> Vec<StoredEvent> {
    let mut events = history(1, 30);
    let mut writer = Writer {
        version: 30,
        hash: events[29].hash,
        incarnation: 2,
        ..Writer::new(sample::stream(1, 1))
    };
    for position in 31..=60 {
        let event = writer.event("after the restore");
        events.push(StoredEvent {
            position,
            hlc: Hlc(events[29].hlc.0 + 1_000 * position),
            envelope: event.envelope,
            payload: event.payload,
            previous: event.previous,
            hash: event.hash,
        });
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_history_that_was_left_should_never_be_taken() {
    let options = topics().await;
    let log = Arc::new(Restored {
        history: Mutex::new(history(1, 50)),
        incarnation: AtomicU32::new(1),
    });
    let publisher =
        vaultstream_infra_kafka::KafkaPublisher::try_new(&options, &registry()).expect("good options");
    publisher
        .publish(SHARD, 1, &log.events())
        .await
        .expect("acknowledged");
    let running = KafkaBus::try_new(&options, log.clone()).expect("good options");
    consume(&running, SHARD, 50).await;

    // Restored to position 30; 31 to 50 stand on the topic and are history no more.
    let now = second_life();
    *log.history.lock().expect("no panic while held") = now.clone();
    log.incarnation.store(2, Ordering::SeqCst);
    let fresh = Arc::new(KafkaBus::try_new(&options, log.clone()).expect("good options"));
    assert!(
        fresh.fetch(SHARD, 30, 50).await.expect("fetched").is_empty(),
        "nothing of this life is there yet"
    );
    publisher
        .publish(SHARD, 2, &now[25..])
        .await
        .expect("acknowledged");
    let tailer = Tailer::new(
        fresh,
        log.clone(),
        Arc::new(SystemClock),
        Arc::new(TracingObserver),
        TailOptions::default(),
    );
    let mut follower = tailer.follow_from_start(SHARD).await.expect("starts");
    let (seen, _) = follow(&mut follower, 60).await;
    assert!(seen == now);

    // A reader that ran on is told by the events' own incarnation, which its follower checks.
    let mut told = Vec::new();
    for _ in 0..20 {
        told = running.fetch(SHARD, 50, 50).await.expect("fetched");
        if !told.is_empty() {
            break;
        }
    }
    assert!(told == now[50..], "only of the new life");
}
