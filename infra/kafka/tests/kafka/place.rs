//! A place of its own in a broker: a prefix, its topics, a log in a temporary directory, and what connects them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at};
use vaultstream_domain::ports::leases::LeaseError;
use vaultstream_domain::ports::progress::ProgressError;
use vaultstream_domain::ports::{Bus, EventLog, Leases, Progress};
use vaultstream_engines::Kafka;
use vaultstream_event_schemas::{Registry, ShardNumber};
use vaultstream_infra_kafka::{KafkaBus, KafkaOptions, KafkaPublisher, create_topics};
use vaultstream_infra_runtime::{SystemClock, SystemRng, TokioSpawn};
use vaultstream_infra_sqlite::{Options, SqliteLog};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Fact, Observer, Relay, RelayOptions, RelayPorts, Relaying, Tailer};

/// The shard most tests use: partition 1 of `core`.
pub const SHARD: ShardNumber = ShardNumber(1);

pub fn registry() -> Registry {
    Registry::try_new(&sample::families()).expect("valid")
}

/// Options with a prefix nobody else has.
pub fn options(bootstrap: String) -> KafkaOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    KafkaOptions::new(bootstrap, format!("t{}-{n}", std::process::id()))
}

/// Topics in the shared broker.
pub async fn topics() -> KafkaOptions {
    let bootstrap = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap())
        .await
        .expect("a broker");
    let options = options(bootstrap);
    create_topics(&options, &registry()).await.expect("made");
    options
}

/// A log and topics.
pub struct Place {
    pub options: KafkaOptions,
    pub log: Arc<SqliteLog>,
    pub diary: Arc<Diary>,
    notes: Arc<Memory>,
    _dir: tempfile::TempDir,
}

impl Place {
    pub async fn new() -> Self {
        Self::with(topics().await)
    }
    pub fn with(options: KafkaOptions) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = SqliteLog::open(&Options::new(dir.path().join("log.db"), sample::families()));
        Self {
            options,
            log: Arc::new(log.expect("the log opens")),
            diary: Arc::default(),
            notes: Arc::default(),
            _dir: dir,
        }
    }
    pub fn bus(&self) -> KafkaBus {
        KafkaBus::try_new(&self.options, self.log.clone()).expect("good options")
    }
    pub fn publisher(&self) -> KafkaPublisher {
        KafkaPublisher::try_new(&self.options, &registry()).expect("good options")
    }
    /// Starts a relay of all shards.
    pub fn relay(&self, shutdown: &CancellationToken) -> Relaying {
        let ports = RelayPorts {
            log: self.log.clone(),
            publisher: Arc::new(self.publisher()),
            progress: self.notes.clone(),
            leases: self.notes.clone(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            observer: self.diary.clone(),
        };
        let shards = (0..5).map(ShardNumber);
        Relay::new(ports, RelayOptions::default(), "test").start(
            shards,
            &TokioSpawn::new(Handle::current()),
            shutdown,
        )
    }
    pub fn tailer(&self, bus: Arc<dyn Bus>) -> Tailer {
        let options = TailOptions {
            batch: 100,
            ..TailOptions::default()
        };
        Tailer::new(
            bus,
            self.log.clone(),
            Arc::new(SystemClock),
            self.diary.clone(),
            options,
        )
    }
    /// Appends events and gives their number in all.
    pub async fn append(&self, writer: &mut Writer, count: usize) {
        for part in (0..count).collect::<Vec<_>>().chunks(100) {
            let batch = part.iter().map(|n| writer.command(&n.to_string(), 1)).collect();
            self.log.append(batch, Some(at(0))).await.expect("taken");
        }
    }
    /// Loses the relay's cursors.
    pub fn forget(&self) {
        self.notes.0.lock().expect("no panic while held").clear();
    }
    pub fn topic(&self) -> String {
        format!("{}.core.events", self.options.prefix)
    }
    /// Removes records of [`SHARD`] in front of an offset, as retention does.
    pub async fn remove_before(&self, offset: i64) {
        let admin: AdminClient<DefaultClientContext> = client(&self.options).create().expect("a client");
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(&self.topic(), 1, Offset::Offset(offset))
            .expect("an offset");
        let removed = admin
            .delete_records(&offsets, &AdminOptions::new())
            .await
            .expect("removed");
        assert!(removed.elements().iter().all(|e| e.error().is_ok()));
    }
}

pub fn client(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", options.bootstrap.join(","));
    config
}

/// Every record of a partition, by a stranger's consumer.
pub async fn records(options: &KafkaOptions, topic: &str, partition: i32, count: usize) -> Vec<OwnedMessage> {
    let (mut config, topic) = (client(options), topic.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.set("group.id", "stranger").create().expect("a client");
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset(&topic, partition, Offset::Beginning)
            .expect("a partition");
        consumer.assign(&place).expect("assigned");
        let mut records = Vec::new();
        while records.len() < count {
            match consumer.poll(Duration::from_secs(20)) {
                Some(Ok(message)) => records.push(message.detach()),
                Some(Err(error)) => panic!("{error}"),
                None => panic!("only {} of {count} records came", records.len()),
            }
        }
        assert!(
            consumer.poll(Duration::from_millis(300)).is_none(),
            "no more than {count}"
        );
        records
    });
    reading.await.expect("read")
}

/// What was said.
#[derive(Default)]
pub struct Diary {
    pub refilled: Mutex<u64>,
    pub stalls: Mutex<Vec<String>>,
}

impl Diary {
    pub fn refilled(&self) -> u64 {
        *self.refilled.lock().expect("no panic while held")
    }
    pub fn stalls(&self) -> Vec<String> {
        self.stalls.lock().expect("no panic while held").clone()
    }
}

impl Observer for Diary {
    fn observe(&self, fact: &Fact<'_>) {
        match fact {
            Fact::Refilled { events, .. } => {
                *self.refilled.lock().expect("no panic while held") += *events as u64;
            }
            Fact::Stalled { error, consumer, .. } => {
                let mut text = format!("{consumer}: {error}");
                let mut cause = error.source();
                while let Some(error) = cause {
                    text = format!("{text}: {error}");
                    cause = error.source();
                }
                println!("{text}");
                self.stalls.lock().expect("no panic while held").push(text);
            }
            _ => {}
        }
    }
}

/// Notes and leases of one process.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Progress for Memory {
    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, ProgressError> {
        Ok(self.0.lock().expect("no panic while held").get(name).cloned())
    }
    async fn save(&self, name: &str, note: &[u8]) -> Result<(), ProgressError> {
        let mut notes = self.0.lock().expect("no panic while held");
        notes.insert(name.to_owned(), note.to_vec());
        Ok(())
    }
}

#[async_trait]
impl Leases for Memory {
    async fn acquire(&self, _: &str, _: &str, _: Duration) -> Result<bool, LeaseError> {
        Ok(true)
    }
    async fn release(&self, _: &str, _: &str) -> Result<(), LeaseError> {
        Ok(())
    }
    async fn held(&self, _: &str) -> Result<Vec<String>, LeaseError> {
        Ok(Vec::new())
    }
}

/// Waits for something without a limit of its own kind.
pub async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    for _ in 0..3_000 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} never came");
}
