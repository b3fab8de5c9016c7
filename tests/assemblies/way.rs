//! The cluster's way of an event: a log on PostgreSQL, a relay, Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::{Bus, EventLog};
use vaultstream_engines::Kafka;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Family, ShardNumber};
use vaultstream_infra_kafka::{KafkaBus, KafkaOptions, KafkaPublisher, create_topics};
use vaultstream_infra_postgres::{PgLeases, PgLog, PgProgress};
use vaultstream_infra_runtime::{SystemClock, SystemRng, TokioSpawn};
use vaultstream_kernel::{Relay, RelayOptions, RelayPorts, Relaying, TracingObserver};

use crate::postgres;

/// Kafka, and how much came over it.
pub struct Counted {
    bus: KafkaBus,
    pub records: AtomicUsize,
}

#[async_trait]
impl Bus for Counted {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        let records = self.bus.fetch(shard, after, limit).await?;
        self.records.fetch_add(records.len(), Ordering::SeqCst);
        Ok(records)
    }
}

/// A log and its topics, on the engines that all tests share.
pub struct Way {
    /// Its name, which nobody else on these engines has.
    pub name: String,
    pub log: Arc<PgLog>,
    topics: KafkaOptions,
}

impl Way {
    pub async fn new(name: &str, families: Vec<(Family, u16)>) -> Result<Self> {
        let name = format!("{name}{}", std::process::id());
        let kafka = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap()).await?;
        let topics = KafkaOptions::new(kafka, &name);
        let log = Arc::new(postgres(&format!("vs_{name}"), families).await?);
        create_topics(&topics, &log.registry()).await?;
        Ok(Self { name, log, topics })
    }

    pub fn bus(&self) -> Result<Counted> {
        Ok(Counted {
            bus: KafkaBus::try_new(&self.topics, self.log.clone())?,
            records: AtomicUsize::new(0),
        })
    }

    /// Relays every shard until the token is cancelled.
    pub fn relay(&self) -> Result<(CancellationToken, Relaying)> {
        let (log, registry, stop) = (&self.log, self.log.registry(), CancellationToken::new());
        let ports = RelayPorts {
            log: log.clone(),
            publisher: Arc::new(KafkaPublisher::try_new(&self.topics, &registry)?),
            progress: Arc::new(PgProgress::new(log.first_database())),
            leases: Arc::new(PgLeases::new(log.first_database())),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            observer: Arc::new(TracingObserver),
        };
        let shards = registry.entries().iter().map(|entry| entry.number);
        let relay = Relay::new(ports, RelayOptions::default(), "assemblies");
        let relaying = relay.start(shards, &TokioSpawn::new(Handle::current()), &stop);
        Ok((stop, relaying))
    }
}
