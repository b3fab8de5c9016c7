//! The bus on Kafka: a shard's records from a position on.
//!
//! Offsets are not positions, because records repeat and old ones leave. One consumer is assigned the partitions that
//! are read, each with a queue of its own and a window of what came last; a fetch that follows on, or falls into the
//! window, costs no search, so several readers near the head share one place. Any other fetch looks the place up by the
//! position in the records' headers.
//!
//! The shard's incarnation is the log's: records that were published in another life of the shard are not given. A
//! record that is cut, or does not give its hash, is reported and read from the log in its stead. Below retention the
//! topic gives what it has, and the reader fills the hole from the log. While no broker answers, fetching fails.
//! Refuses: an unknown shard.

mod echo;
mod lane;
mod search;
mod window;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout_at};
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::{Bus, EventLog};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

pub use self::echo::KafkaEcho;
use self::lane::{Lane, Reading};
use self::search::Prober;
use crate::client::{Ears, blocking, create};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::topics::Topics;

/// The longest wait for the first record.
const WAIT: Duration = Duration::from_secs(1);
/// How often the client is asked for what is no record: errors, mostly.
const HEARTBEAT: Duration = Duration::from_millis(100);

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A bus over Kafka. One a process is enough for readers that stay near the head; a reader far behind moves the place of
/// its shard, so what replays long histories (a rebuild) reads the log or has a bus of its own.
pub struct KafkaBus {
    reading: Arc<Reading>,
    lanes: Vec<Slot>,
}

/// A shard's place, behind the lock of whoever reads, and the bell that rings for all.
struct Slot {
    lane: Mutex<Option<Lane>>,
    bell: Arc<Notify>,
}

impl KafkaBus {
    /// A bus over the topics of the log's registry; it connects when it is first used. Needs a Tokio runtime. The log
    /// says which life each shard is in, and stands in for records that are damaged.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn try_new(options: &KafkaOptions, log: Arc<dyn EventLog>) -> Result<Self, KafkaError> {
        let registry = log.registry();
        let topics = Topics::try_new(&options.prefix, &registry)?;
        let ears = Ears::default();
        let consumer: Arc<BaseConsumer<Ears>> = Arc::new(create(&reader(options)?, ears.clone())?);
        listen(&consumer);
        let lanes = registry.entries().iter().map(|_| Slot {
            lane: Mutex::new(None),
            bell: Arc::new(Notify::new()),
        });
        Ok(Self {
            lanes: lanes.collect(),
            reading: Arc::new(Reading {
                consumer,
                prober: Arc::new(Prober::new(prober(options)?, options)),
                topics,
                log,
                ears,
                options: options.clone(),
            }),
        })
    }

    /// When the wait was in vain: is nobody there, or nothing new?
    async fn quiet(&self, topic: Arc<str>) -> Result<(), KafkaError> {
        if !self.reading.ears.alone() {
            return Ok(());
        }
        let reading = self.reading.clone();
        blocking("ask whether a broker is there", move || {
            match reading.consumer.fetch_metadata(Some(&topic), WAIT) {
                Ok(_) => {
                    reading.ears.answered();
                    Ok(())
                }
                Err(_) => Err(reading.ears.unanswered(&reading.options)),
            }
        })
        .await
    }
}

fn reader(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = options.client()?;
    config
        // The client wants a group to be assigned anything; it is never joined and nothing is committed to it.
        .set("group.id", format!("{}.readers", options.prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.error.backoff.ms", "100")
        .set("queued.min.messages", "5000")
        .set("queued.max.messages.kbytes", options.prefetch_kib.max(1).to_string());
    Ok(config)
}

fn prober(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = reader(options)?;
    config
        .set("fetch.wait.max.ms", "10")
        .set("queued.min.messages", "1")
        .set("max.partition.fetch.bytes", "65536")
        .set("enable.partition.eof", "true");
    Ok(config)
}

/// Asks the client for its events for as long as somebody holds it.
fn listen(consumer: &Arc<BaseConsumer<Ears>>) {
    let consumer = Arc::downgrade(consumer);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let Some(consumer) = consumer.upgrade() else {
                return;
            };
            // Records come on the partitions' own queues; what comes here are errors, which the ears have heard too.
            while let Some(Err(error)) = consumer.poll(Duration::ZERO) {
                tracing::debug!(%error, "the reader's client reports");
            }
        }
    });
}

#[async_trait]
impl Bus for KafkaBus {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        let failed = |source: KafkaError| BusError {
            doing: "read the topic",
            source: Box::new(source),
        };
        let (Some(slot), Some(route)) = (
            self.lanes.get(usize::from(shard.0)),
            self.reading.topics.route(shard),
        ) else {
            return Err(BusError {
                doing: "find the topic",
                source: Source::from(format!("shard {shard} is not in the registry")),
            });
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + WAIT;
        loop {
            // Listening before looking: a record that comes in between rings the bell all the same.
            let mut ring = std::pin::pin!(slot.bell.notified());
            ring.as_mut().enable();
            {
                let mut open = slot.lane.lock().await;
                let lane = match &mut *open {
                    Some(lane) => lane,
                    none => {
                        let lane = Lane::open(&self.reading, shard, route, after, &slot.bell);
                        none.insert(lane.await.map_err(failed)?)
                    }
                };
                let found = lane.take(&self.reading, after, limit, deadline);
                let found = found.await.map_err(failed)?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            if timeout_at(deadline, ring).await.is_err() {
                self.quiet(route.events.clone()).await.map_err(failed)?;
                return Ok(Vec::new());
            }
        }
    }
}
