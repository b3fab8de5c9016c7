//! Events through Kafka: published with their public forms and acknowledged, and read back, decoded and checked, against
//! a raw producer and consumer of the same bytes with the same settings on the same broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use vaultstream_domain::ports::conformance::publisher::history;
use vaultstream_domain::ports::conformance::sample;
use vaultstream_domain::ports::{Bus, EventLog, Publisher};
use vaultstream_engines::Kafka;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::public_event::to_public;
use vaultstream_event_schemas::{ShardNumber, record};
use vaultstream_infra_kafka::{KafkaBus, KafkaOptions, KafkaPublisher, create_topics};
use vaultstream_infra_sqlite::{Options, SqliteLog};

use crate::line::BenchLine;

const EVENTS: u64 = 50_000;
const BATCH: usize = 1_000;
const SHARDS: [u16; 2] = [0, 1];
const UNIT: &str = "events/s";

/// Measures.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let bootstrap = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap()).await?;
    let options = KafkaOptions::new(bootstrap, format!("bench{}", std::process::id()));
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    let log = Arc::new(SqliteLog::open(&Options::new(
        dir.path().join("log.db"),
        sample::families(),
    ))?);
    create_topics(&options, &log.registry()).await?;
    let histories = SHARDS.map(|shard| (ShardNumber(shard), history(shard, EVENTS)));

    let (raw_options, raw_histories) = (options.clone(), histories.clone());
    let raw = tokio::task::spawn_blocking(move || raw_produce(&raw_options, &raw_histories)).await??;
    let publisher = KafkaPublisher::try_new(&options, &log.registry())?;
    let begun = Instant::now();
    try_join_all(
        histories
            .iter()
            .map(|(shard, events)| publish(&publisher, *shard, events)),
    )
    .await?;
    let produced = rate(begun.elapsed());
    out.push(BenchLine::against(
        "kafka: published and acknowledged / raw producer",
        produced,
        UNIT,
        raw,
        0.5,
    ));

    let raw_options = options.clone();
    let raw = tokio::task::spawn_blocking(move || raw_consume(&raw_options)).await??;
    let bus = KafkaBus::try_new(&options, log)?;
    let begun = Instant::now();
    try_join_all(
        histories
            .iter()
            .map(|(shard, events)| read(&bus, *shard, events.len() as u64)),
    )
    .await?;
    let consumed = rate(begun.elapsed());
    out.push(BenchLine::against(
        "kafka: read, decoded and checked / raw consumer",
        consumed,
        UNIT,
        raw,
        0.05,
    ));
    out.push(BenchLine::at_least(
        "kafka: read, decoded and checked",
        consumed,
        UNIT,
        50_000.0,
    ));
    Ok(())
}

fn rate(elapsed: Duration) -> f64 {
    let events = u32::try_from(EVENTS).unwrap_or(u32::MAX) * u32::try_from(SHARDS.len()).unwrap_or(1);
    f64::from(events) / elapsed.as_secs_f64()
}

async fn publish(publisher: &KafkaPublisher, shard: ShardNumber, events: &[StoredEvent]) -> Result<()> {
    for part in events.chunks(BATCH) {
        publisher.publish(shard, 1, part).await?;
    }
    Ok(())
}

async fn read(bus: &KafkaBus, shard: ShardNumber, until: u64) -> Result<()> {
    let mut last = 0;
    while last < until {
        for event in bus.fetch(shard, last, BATCH).await? {
            ensure!(event.position == last + 1, "a hole behind {last}");
            last = event.position;
        }
    }
    Ok(())
}

/// Topic, key, value and headers of a record.
type Record = (String, String, Vec<u8>, Vec<(&'static str, String)>);

/// The records of an event as the adapter makes them, made beforehand.
fn records(prefix: &str, event: &StoredEvent) -> Result<[Record; 2]> {
    let public = to_public(event).context("a public event")?;
    let place = [
        ("position", event.position.to_string()),
        ("incarnation", "1".to_owned()),
    ];
    let own = [
        ("hlc", event.hlc.0.to_string()),
        ("type", event.envelope.event_type.clone()),
        ("version", "1".to_owned()),
    ];
    let told = [
        ("id", public.id.to_string()),
        ("type", public.event_type.clone()),
        ("content-type", "application/json".to_owned()),
    ];
    Ok([
        (
            format!("{prefix}.raw.events"),
            event.envelope.stream.to_string(),
            record::encode(event)?,
            place.iter().cloned().chain(own).collect(),
        ),
        (
            format!("{prefix}.public.raw"),
            public.organization_id.to_string(),
            serde_json::to_vec(&public)?,
            place.iter().cloned().chain(told).collect(),
        ),
    ])
}

fn raw_produce(options: &KafkaOptions, histories: &[(ShardNumber, Vec<StoredEvent>)]) -> Result<f64> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", options.bootstrap.join(","))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "1")
        .set("compression.type", "lz4")
        .set("queue.buffering.max.messages", options.queue_records.to_string());
    make_raw_topics(options)?;
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    let mut prepared = Vec::new();
    for (shard, events) in histories {
        for event in events {
            prepared.push((i32::from(shard.0), records(&options.prefix, event)?));
        }
    }
    let begun = Instant::now();
    for (partition, records) in &prepared {
        for (topic, key, value, headers) in records {
            send(&producer, *partition, (topic, key, value), headers)?;
        }
    }
    producer.flush(Duration::from_secs(60))?;
    Ok(rate(begun.elapsed()))
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    partition: i32,
    (topic, key, value): (&str, &str, &[u8]),
    headers: &[(&'static str, String)],
) -> Result<()> {
    loop {
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        });
        let record = BaseRecord::to(topic)
            .partition(partition)
            .key(key)
            .payload(value)
            .headers(headers);
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                producer.poll(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn make_raw_topics(options: &KafkaOptions) -> Result<()> {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let admin: AdminClient<rdkafka::client::DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", options.bootstrap.join(","))
        .create()?;
    let names = [
        format!("{}.raw.events", options.prefix),
        format!("{}.public.raw", options.prefix),
    ];
    let topics = names
        .each_ref()
        .map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(1)));
    let made =
        tokio::runtime::Handle::current().block_on(admin.create_topics(&topics, &AdminOptions::new()))?;
    ensure!(
        made.iter().all(Result::is_ok),
        "the raw topics cannot be made: {made:?}"
    );
    Ok(())
}

fn raw_consume(options: &KafkaOptions) -> Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", options.bootstrap.join(","))
        .set("group.id", "bench")
        .create()?;
    let mut place = TopicPartitionList::new();
    for shard in SHARDS {
        let topic = format!("{}.raw.events", options.prefix);
        place.add_partition_offset(&topic, i32::from(shard), Offset::Beginning)?;
    }
    let begun = Instant::now();
    consumer.assign(&place)?;
    let mut seen = 0;
    while seen < EVENTS * SHARDS.len() as u64 {
        match consumer.poll(Duration::from_secs(10)) {
            Some(message) => {
                message?;
                seen += 1;
            }
            None => anyhow::bail!("only {seen} records came"),
        }
    }
    Ok(rate(begun.elapsed()))
}
