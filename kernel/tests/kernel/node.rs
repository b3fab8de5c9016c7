//! A node in a temporary directory: the embedded log and an executor.

mod case;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::CommandContext;
use vaultstream_domain::ports::conformance::sample::{self, stream};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Actor, CommandId, ShardNumber, StreamId, Timestamp, id};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog};
use vaultstream_kernel::{Committed, ExecuteError, Executor, Options, Ports, TracingObserver, load_state};

pub use case::{Case, change, created, increment, number, renamed, shift, state};

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
