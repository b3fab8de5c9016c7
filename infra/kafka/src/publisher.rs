//! The publisher on Kafka: whole events to the shard's own topic, their public forms to the integrators'.
//!
//! Order: one call at a time enqueues a shard's records; the producer is idempotent, so a partition takes its batches in
//! sequence or not at all, and `enable.gapless.guarantee` turns what could tear a hole into an error. Records never time
//! out inside librdkafka, because one that did could be overtaken; this side watches instead: when acknowledgements stay
//! away or one fails, everything that is queued is thrown away with its producer, and the next call begins with a new
//! one. So what is on the topic after an error is a prefix.
//!
//! Back-pressure: librdkafka's queue is bounded in records and bytes; when it is full a call waits. Nothing is dropped.
//! Refuses: more than a call takes, an unknown shard, a record over [`MAX_RECORD`], an event newer than this build.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as Native, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::Notify;
use tokio::time::timeout;
use vaultstream_domain::ports::Publisher;
use vaultstream_domain::ports::publisher::{MAX_PUBLISH, PublishError};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::public_event::{PublicEvent, to_public_all};
use vaultstream_event_schemas::upcast::Chain;
use vaultstream_event_schemas::{Registry, ShardNumber, record as form, upcast};

use crate::client::{Ears, create};
use crate::error::{Heard, KafkaError};
use crate::options::KafkaOptions;
use crate::record;
use crate::topics::{MAX_RECORD, Route, Topics};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Publishes to Kafka. One a process is enough: it serves all shards.
pub struct KafkaPublisher {
    config: ClientConfig,
    options: KafkaOptions,
    topics: Topics,
    chain: Chain,
    /// One enqueuing call a shard.
    turns: Vec<tokio::sync::Mutex<()>>,
    line: Mutex<Option<Arc<Line>>>,
}

/// A producer until its first failure.
struct Line {
    producer: ThreadedProducer<Post>,
    ears: Ears,
    room: Arc<Notify>,
}

/// What librdkafka reports deliveries to.
struct Post {
    ears: Ears,
    room: Arc<Notify>,
}

impl ClientContext for Post {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.ears.log(level, facility, message);
    }
    fn error(&self, error: Native, reason: &str) {
        self.ears.error(error, reason);
    }
}

impl ProducerContext for Post {
    type DeliveryOpaque = Arc<Acks>;

    fn delivery(&self, result: &DeliveryResult<'_>, acks: Arc<Acks>) {
        match result {
            Ok(_) => acks.one(None),
            Err((error, _)) => acks.one(Some(error.clone())),
        }
        self.room.notify_waiters();
    }
}

/// The acknowledgements one call waits for.
#[derive(Default)]
struct Acks {
    open: AtomicUsize,
    failed: Mutex<Option<Native>>,
    changed: Notify,
}

impl Acks {
    fn one(&self, failed: Option<Native>) {
        let failure = failed.is_some();
        if let Some(error) = failed {
            let mut first = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(error);
        }
        let left = self.open.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 || failure {
            self.changed.notify_one();
        }
    }

    fn failure(&self) -> Option<Native> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why records were not all acknowledged.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{given} records were given; {MAX_PUBLISH} is the most a call takes")]
    TooMany { given: usize },
    #[error("shard {0} is not in the registry")]
    Unknown(ShardNumber),
    #[error(
        "the record of position {position} is larger than {MAX_RECORD} bytes, and larger than any event may be"
    )]
    TooLarge { position: u64 },
    #[error("the topic does not take the record of position {position}")]
    Refused {
        position: u64,
        #[source]
        source: Native,
    },
    #[error("a record was not acknowledged")]
    Failed(#[source] Native),
    #[error("no acknowledgement came for {seconds} s")]
    Silent {
        seconds: u64,
        #[source]
        heard: Option<Heard>,
    },
}

fn failed(doing: &'static str, source: impl Into<Source>) -> PublishError {
    PublishError {
        doing,
        source: source.into(),
    }
}

/// What a failure leaves behind.
enum Broken {
    /// One record cannot go; what went before it is on its way and in order.
    Record(PublishError),
    /// The producer has to be thrown away.
    Line(PublishError),
}

impl KafkaPublisher {
    /// A publisher to the topics of a registry; it connects when it is first used.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn try_new(options: &KafkaOptions, registry: &Registry) -> Result<Self, KafkaError> {
        let mut config = options.client()?;
        config
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("request.timeout.ms", "10000")
            .set("linger.ms", "1")
            .set("compression.type", "lz4")
            .set("message.max.bytes", MAX_RECORD.to_string())
            .set("queue.buffering.max.messages", options.queue_records.to_string())
            .set("queue.buffering.max.kbytes", options.queue_kib.to_string());
        Ok(Self {
            config,
            options: options.clone(),
            topics: Topics::try_new(&options.prefix, registry)?,
            chain: upcast::released(),
            turns: registry
                .entries()
                .iter()
                .map(|_| tokio::sync::Mutex::new(()))
                .collect(),
            line: Mutex::new(None),
        })
    }

    fn line(&self) -> Result<Arc<Line>, KafkaError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = &*line {
            return Ok(line.clone());
        }
        let (ears, room) = (Ears::default(), Arc::new(Notify::new()));
        let post = Post {
            ears: ears.clone(),
            room: room.clone(),
        };
        let new = Arc::new(Line {
            producer: create(&self.config, post)?,
            ears,
            room,
        });
        *line = Some(new.clone());
        Ok(new)
    }

    /// Throws away a producer with everything it holds, so that nothing overtakes what failed.
    fn retire(&self, line: Arc<Line>) {
        let mut current = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, &line))
        {
            *current = None;
        }
        drop(current);
        line.producer.purge(PurgeConfig::default().queue().inflight());
        // The last owner joins the producer's thread.
        tokio::task::spawn_blocking(move || drop(line));
    }

    async fn send_all(
        &self,
        line: &Line,
        route: &Route,
        incarnation: u32,
        events: &[StoredEvent],
    ) -> Result<(), Broken> {
        // One is open for this call itself until all are enqueued.
        let acks = Arc::new(Acks::default());
        acks.open.store(1, Ordering::Release);
        for event in events {
            let public = to_public_all(&self.chain, event)
                .map_err(|error| Broken::Record(failed("make the public form of an event", error)))?;
            let value =
                form::encode(event).map_err(|error| Broken::Record(failed("encode an event", error)))?;
            let key = event.envelope.stream.to_string();
            let mut out = Out {
                line,
                acks: &acks,
                topic: &route.events,
                partition: route.partition,
                patience: self.patience(),
                position: event.position,
            };
            out.send(&key, &value, record::of_event(event, incarnation))
                .await?;
            out.topic = &route.public;
            for public in &public {
                let value = serde_json::to_vec(public)
                    .map_err(|error| Broken::Record(failed("encode a public event", error)))?;
                let headers = record::of_public(public, event, incarnation);
                out.send(&key_of(public), &value, headers).await?;
            }
        }
        acks.one(None);
        self.wait(line, &acks).await
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.options.patience_ms.max(1))
    }

    async fn wait(&self, line: &Line, acks: &Acks) -> Result<(), Broken> {
        loop {
            if let Some(error) = acks.failure() {
                let failure = Failure::Failed(error);
                return Err(Broken::Line(failed("get an acknowledgement", failure)));
            }
            let open = acks.open.load(Ordering::Acquire);
            if open == 0 {
                line.ears.answered();
                return Ok(());
            }
            let waited = timeout(self.patience(), acks.changed.notified()).await;
            if waited.is_err() && acks.open.load(Ordering::Acquire) == open {
                return Err(silent(line, self.patience()));
            }
        }
    }
}

fn silent(line: &Line, patience: Duration) -> Broken {
    let failure = Failure::Silent {
        seconds: patience.as_secs(),
        heard: line.ears.heard(),
    };
    Broken::Line(failed("get an acknowledgement", failure))
}

/// Integrators partition by owner: the vault, where a vault owns the event, else the organization.
fn key_of(public: &PublicEvent) -> String {
    public
        .vault_id
        .map_or_else(|| public.organization_id.to_string(), |vault| vault.to_string())
}

/// One record on its way into the queue.
struct Out<'a> {
    line: &'a Line,
    acks: &'a Arc<Acks>,
    topic: &'a str,
    partition: i32,
    patience: Duration,
    position: u64,
}

impl Out<'_> {
    /// Enqueues a record, after a wait for room.
    async fn send(&self, key: &str, value: &[u8], headers: OwnedHeaders) -> Result<(), Broken> {
        let mut record = BaseRecord::with_opaque_to(self.topic, self.acks.clone())
            .partition(self.partition)
            .key(key)
            .payload(value)
            .headers(headers);
        self.acks.open.fetch_add(1, Ordering::AcqRel);
        loop {
            let room = self.line.room.notified();
            let mut room = std::pin::pin!(room);
            room.as_mut().enable();
            let (error, back) = match self.line.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(back) => back,
            };
            record = back;
            let position = self.position;
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {}
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    let failure = Failure::TooLarge { position };
                    return Err(Broken::Record(failed("enqueue a record", failure)));
                }
                _ => {
                    let source = error;
                    let failure = Failure::Refused { position, source };
                    return Err(Broken::Line(failed("enqueue a record", failure)));
                }
            }
            // Others may take the room; as long as there is some at times, the brokers are there.
            if timeout(self.patience, room).await.is_err() {
                return Err(silent(self.line, self.patience));
            }
        }
    }
}

#[async_trait]
impl Publisher for KafkaPublisher {
    async fn publish(
        &self,
        shard: ShardNumber,
        incarnation: u32,
        records: &[StoredEvent],
    ) -> Result<(), PublishError> {
        if records.len() > MAX_PUBLISH {
            let given = records.len();
            return Err(failed("take so many records", Failure::TooMany { given }));
        }
        let (Some(route), Some(turn)) = (self.topics.route(shard), self.turns.get(usize::from(shard.0)))
        else {
            return Err(failed("find the topic", Failure::Unknown(shard)));
        };
        if records.is_empty() {
            return Ok(());
        }
        let _turn = turn.lock().await;
        let line = self.line().map_err(|error| failed("make a producer", error))?;
        match self.send_all(&line, route, incarnation, records).await {
            Ok(()) => Ok(()),
            Err(Broken::Record(error)) => Err(error),
            Err(Broken::Line(error)) => {
                self.retire(line);
                Err(error)
            }
        }
    }
}
