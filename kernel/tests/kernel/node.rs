//! A node in a temporary directory: the embedded log, an executor, and use cases made of closures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::conformance::sample::{self, stream};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_domain::vault::{Vault, VaultEvent, VaultState};
use vaultstream_domain::{Change, CommandContext, DomainError, States, Transact};
use vaultstream_event_schemas::envelope::{Owner, StoredEvent};
use vaultstream_event_schemas::vault::v1::{Tier, VaultCreated, VaultRenamed};
use vaultstream_event_schemas::{
    Actor, CommandId, OrganizationId, ShardNumber, StreamId, Timestamp, VaultId, id,
};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog};
use vaultstream_kernel::{Committed, ExecuteError, Executor, Options, Ports, TracingObserver, load_state};

/// Time that stands still, and pauses that take none.
pub struct Still(pub i64);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        sample::at(self.0)
    }
    async fn sleep_ms(&self, _: u64) {
        tokio::task::yield_now().await;
    }
}

/// A directory with a log in it.
pub struct Disk(tempfile::TempDir);

impl Disk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }
    pub fn log(&self) -> Arc<SqliteLog> {
        let options = LogOptions::new(self.0.path().join("log.db"), sample::families());
        Arc::new(SqliteLog::open(&options).expect("the log opens"))
    }
}

pub fn ports(log: Arc<dyn EventLog>) -> Ports {
    Ports {
        log,
        clock: Arc::new(SystemClock),
        spawn: Arc::new(TokioSpawn::new(Handle::current())),
        observer: Arc::new(TracingObserver),
    }
}

pub fn executor(log: Arc<dyn EventLog>) -> Executor {
    Executor::start(Options::default(), ports(log), CancellationToken::new())
}

type Decide = dyn Fn(&States, Timestamp) -> Result<Vec<Change>, DomainError> + Send + Sync;

/// A use case made of parts.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub shard: ShardNumber,
    pub reads: Vec<StreamId>,
    pub creates: Vec<StreamId>,
    pub decide: Arc<Decide>,
}

impl Case {
    pub fn reading(
        reads: Vec<StreamId>,
        decide: impl Fn(&States, Timestamp) -> Result<Vec<Change>, DomainError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: "test.case",
            shard: reads[0].shard(),
            reads,
            creates: vec![],
            decide: Arc::new(decide),
        }
    }
}

impl Transact for Case {
    fn name(&self) -> &'static str {
        self.name
    }
    fn shard(&self) -> ShardNumber {
        self.shard
    }
    fn reads(&self) -> Vec<StreamId> {
        self.reads.clone()
    }
    fn creates(&self) -> Vec<StreamId> {
        self.creates.clone()
    }
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError> {
        (self.decide)(states, now)
    }
}

pub fn vault(n: u64) -> StreamId {
    stream(0, n)
}

/// A command with an id of its own.
pub fn context() -> CommandContext {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    context_of(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The `n`th command of a script.
pub fn context_of(n: u64) -> CommandContext {
    let command = CommandId::from_uuid(id::random(1, n.into()));
    CommandContext {
        actor: Actor::system("test"),
        command,
        causation: None,
        trace: None,
    }
}

pub fn change(stream: StreamId, events: Vec<VaultEvent>) -> Change {
    let organization = OrganizationId::from_uuid(id::random(1, 2));
    Change::of(stream, organization, Owner::Itself, events)
}

#[expect(clippy::needless_pass_by_value, reason = "the tests read better so")]
pub fn renamed(name: impl ToString) -> VaultEvent {
    VaultRenamed {
        name: name.to_string(),
    }
    .into()
}

#[expect(clippy::needless_pass_by_value, reason = "the tests read better so")]
pub fn created(name: impl ToString) -> VaultEvent {
    VaultCreated {
        name: name.to_string(),
        tier: Tier::Hot,
    }
    .into()
}

pub fn state(states: &States, stream: StreamId) -> &VaultState {
    states.get::<Vault>(VaultId::try_from(stream).expect("a vault"))
}

/// The number a vault's name stands for; 0 for a vault without a name.
pub fn number(states: &States, stream: StreamId) -> u64 {
    state(states, stream).name.parse().unwrap_or(0)
}

/// Counts a vault's name up by one.
pub fn increment(stream: StreamId) -> Case {
    Case::reading(vec![stream], move |states, _| {
        Ok(vec![change(stream, vec![renamed(number(states, stream) + 1)])])
    })
}

/// Takes one from a vault and gives it to another, unless the first has nothing: then nothing changes.
pub fn shift(from: StreamId, to: StreamId) -> Case {
    Case::reading(vec![from, to], move |states, _| {
        let (a, b) = (number(states, from), number(states, to));
        if a == 0 {
            return Ok(vec![]);
        }
        Ok(vec![
            change(from, vec![renamed(a - 1)]),
            change(to, vec![renamed(b + 1)]),
        ])
    })
}

pub async fn run(executor: &Executor, case: Case) -> Result<Committed, ExecuteError> {
    executor.execute(context(), Arc::new(case)).await
}

/// What the log says a vault's number is.
pub async fn stored_number(log: &dyn EventLog, stream: StreamId) -> u64 {
    let loaded = load_state(log, stream).await.expect("readable");
    let vaultstream_domain::State::Vault(vault) = loaded.state else {
        panic!("not a vault")
    };
    vault.name.parse().unwrap_or(0)
}

pub async fn events(log: &dyn EventLog) -> Vec<StoredEvent> {
    log.read_shard(ShardNumber(0), 0, 10_000).await.expect("readable")
}
