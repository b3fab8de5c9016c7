//! What tests of this crate stand on: a real SQLite log in a temporary directory, written to directly.

mod project;
pub mod recorder;
pub mod world;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, StreamAppend};
use vaultstream_domain::ports::{EventLog, Spawn};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::payload::{Encoded, Payload, encode};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{
    Actor, ApiKeyId, CommandId, Family, OrganizationId, ShardNumber, Slug, StreamId, Timestamp, TransferId,
    VaultId, id,
};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_infra_sqlite::{Options, SqliteLog, Synchronous};

pub use project::{fold, prepared};

use crate::hub::{Folded, HubParts};
use crate::observer::{Fact, Observer, Unobserved};
use crate::refusal::Refusal;

/// The chain of the rig.
pub const CHAIN: &str = "eip155:31337";

/// Families of the rig: one core shard, one audit shard, two shards of a chain.
pub fn families() -> Vec<(Family, u16)> {
    let slug = Slug::try_new("eth_sandbox").expect("a valid slug");
    vec![(Family::Core, 1), (Family::Audit, 1), (Family::Chain(slug), 2)]
}

/// A log that tests write to.
pub struct History {
    /// The log.
    pub log: Arc<SqliteLog>,
    /// Where it is.
    pub directory: TempDir,
    heads: Mutex<HashMap<StreamId, (u64, Hash)>>,
    serial: AtomicU64,
}

impl History {
    /// An empty log.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let options = Options {
            synchronous: Synchronous::Normal,
            ..Options::new(directory.path().join("log.sqlite"), families())
        };
        let log = Arc::new(SqliteLog::open(&options).expect("opens"));
        Self {
            log,
            directory,
            heads: Mutex::default(),
            serial: AtomicU64::new(1),
        }
    }

    /// The log as a port.
    pub fn port(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    fn fresh(&self, shard: u16) -> Uuid {
        let n = self.serial.fetch_add(1, Ordering::Relaxed);
        id::with_shard(
            id::random(1_800_000_000_000 + n, u128::from(n) << 20),
            ShardNumber(shard),
        )
    }

    /// A new organization's id.
    pub fn organization(&self) -> OrganizationId {
        OrganizationId::from_uuid(self.fresh(0))
    }

    /// A new API key's id.
    pub fn key(&self) -> ApiKeyId {
        ApiKeyId::from_uuid(self.fresh(0))
    }

    /// A new vault's id.
    pub fn vault(&self) -> VaultId {
        VaultId::from_uuid(self.fresh(0))
    }

    /// A new id in one of the chain's shards, 2 or 3.
    pub fn on_chain(&self, shard: u16) -> Uuid {
        assert!((2..=3).contains(&shard), "the chain has the shards 2 and 3");
        self.fresh(shard)
    }

    /// A new transfer's id.
    pub fn transfer(&self, shard: u16) -> TransferId {
        TransferId::from_uuid(self.on_chain(shard))
    }

    /// Appends events to one stream in one command; answers the last position.
    pub async fn append(
        &self,
        stream: impl Into<StreamId>,
        organization: OrganizationId,
        owner: Owner,
        events: Vec<Encoded>,
    ) -> u64 {
        let stream = stream.into();
        let mut heads = self.heads.lock().await;
        let (expected, mut previous) = heads.get(&stream).copied().unwrap_or((0, GENESIS));
        let incarnation = self.log.heads().await.expect("heads")[&stream.shard()].incarnation;
        let mut hashed = Vec::new();
        for (i, event) in events.into_iter().enumerate() {
            let n = self.serial.fetch_add(1, Ordering::Relaxed);
            let envelope = Envelope {
                actor: Actor::system("rig"),
                causation: None,
                command: CommandId::from_uuid(id::random(1_800_000_000_000, n.into())),
                incarnation,
                occurred_at: Timestamp::from_micros(1_800_000_000_000_000),
                organization,
                owner,
                sequence: expected + 1 + i as u64,
                shard: stream.shard(),
                stream,
                trace: None,
                event_type: event.event_type.to_owned(),
                version: event.version,
            };
            let event = HashedEvent::try_new(envelope, event, previous).expect("canonical");
            previous = event.hash;
            hashed.push(event);
        }
        let count = hashed.len() as u64;
        let command = AppendCommand {
            shard: stream.shard(),
            streams: vec![StreamAppend {
                stream,
                expected,
                events: hashed,
            }],
        };
        match self.log.append(vec![command], None).await.expect("appends").pop() {
            Some(AppendOutcome::Committed { last, .. }) => {
                heads.insert(stream, (expected + count, previous));
                last
            }
            other => panic!("not committed: {other:?}"),
        }
    }

    /// Appends one event.
    pub async fn put<P: Payload>(
        &self,
        stream: impl Into<StreamId>,
        organization: OrganizationId,
        owner: Owner,
        payload: &P,
    ) -> u64 {
        self.append(
            stream,
            organization,
            owner,
            vec![encode(payload).expect("canonical")],
        )
        .await
    }
}

/// Views that have folded everything, or everything up to a gate.
pub struct Gate(pub watch::Sender<u64>);

impl Gate {
    /// Folds at once.
    pub fn open() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(u64::MAX)))
    }

    /// Has folded up to a position of every shard.
    pub fn at(position: u64) -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(position)))
    }
}

#[async_trait]
impl Folded for Gate {
    async fn place(&self, _: ShardNumber) -> Result<Place, Refusal> {
        Ok(Place {
            incarnation: 1,
            position: *self.0.borrow(),
        })
    }

    async fn wait_beyond(&self, _: ShardNumber, place: Place) {
        let mut gate = self.0.subscribe();
        let _ = gate.wait_for(|at| *at > place.position).await;
    }
}

/// What was told.
#[derive(Debug, Default)]
pub struct Heard(std::sync::Mutex<Vec<Fact>>);

impl Observer for Heard {
    fn observe(&self, fact: Fact) {
        self.0.lock().expect("no panic while held").push(fact);
    }
}

impl Heard {
    /// How often a fact was told.
    pub fn times(&self, fact: Fact) -> usize {
        let told = self.0.lock().expect("no panic while held");
        told.iter().filter(|one| **one == fact).count()
    }
}

/// A hub's parts over a log.
pub fn hub_parts(history: &History, folded: Arc<dyn Folded>) -> HubParts {
    HubParts {
        log: history.port(),
        folded,
        clock: Arc::new(SystemClock),
        observer: Arc::new(Unobserved),
    }
}

/// Starts tasks on the test's own runtime.
pub struct Tasks;

impl Spawn for Tasks {
    fn spawn(&self, _: &'static str, task: vaultstream_domain::ports::runtime::BoxFuture) {
        tokio::spawn(task);
    }
}
