//! A log, an executor, and directories over it whose buses can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::{Bus, Clock, EventLog, Ids};
use vaultstream_domain::{CommandContext, State, Transact};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{
    Actor, CommandId, Family, OrganizationId, ShardNumber, StoredEvent, Timestamp, id,
};
use vaultstream_gateway::{Directory, Known};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_infra_sqlite::{Options, SqliteLog, Synchronous};
use vaultstream_kernel::{Executor, LogBus, Options as ExecutorOptions, Ports, TracingObserver};

/// A bus that fails while it is cut, says that nothing happened while it is mute, and loses what it has while it is lossy.
pub struct Wire {
    bus: LogBus,
    pub cut: AtomicBool,
    pub mute: AtomicBool,
    pub lossy: AtomicBool,
}

impl Wire {
    pub fn to(log: &Arc<dyn EventLog>) -> Arc<Self> {
        Arc::new(Self {
            bus: LogBus::new(log.clone()),
            cut: AtomicBool::new(false),
            mute: AtomicBool::new(false),
            lossy: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Bus for Wire {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        let mut events = self.bus.fetch(shard, after, limit).await?;
        if self.cut.load(Ordering::SeqCst) {
            return Err(BusError {
                doing: "fetch",
                source: "the wire is cut".into(),
            });
        }
        if self.mute.load(Ordering::SeqCst) {
            events.clear();
        }
        if self.lossy.load(Ordering::SeqCst) && events.len() > 1 {
            events.drain(..events.len() - 1);
        }
        Ok(events)
    }
}

/// The system's clock, moved ahead by hand.
#[derive(Default)]
pub struct Ahead(pub AtomicI64);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_seconds(self.0.load(Ordering::SeqCst))
    }
    async fn sleep_ms(&self, ms: u64) {
        SystemClock.sleep_ms(ms).await;
    }
}

pub struct Rig {
    pub log: Arc<dyn EventLog>,
    executor: Executor,
    pub directory: Arc<Directory>,
    pub wire: Arc<Wire>,
    pub clock: Arc<Ahead>,
    pub organization: OrganizationId,
    stop: CancellationToken,
    _files: TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Rig {
    pub async fn start() -> Self {
        let files = TempDir::new().expect("a temporary directory");
        let options = Options {
            synchronous: Synchronous::Normal,
            ..Options::new(
                files.path().join("log.sqlite"),
                vec![(Family::Core, 1), (Family::Audit, 1)],
            )
        };
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&options).expect("opens"));
        let spawn = Arc::new(TokioSpawn::new(tokio::runtime::Handle::current()));
        let stop = CancellationToken::new();
        let ports = Ports {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            spawn: spawn.clone(),
            observer: Arc::new(TracingObserver),
        };
        let executor = Executor::start(ExecutorOptions::default(), ports, stop.clone());
        let wire = Wire::to(&log);
        let clock = Arc::new(Ahead::default());
        let directory = Directory::start(log.clone(), wire.clone(), clock.clone(), &*spawn)
            .await
            .expect("starts");
        let shard = log
            .registry()
            .shards_of(&Family::Core)
            .next()
            .expect("core exists");
        let organization = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), shard));
        let rig = Self {
            log,
            executor,
            directory,
            wire,
            clock,
            organization,
            stop,
            _files: files,
        };
        let command = OrganizationCommand::Register {
            name: "First".into(),
            approval: Approval::None,
            contact: None,
        };
        rig.run(RegisterOrganization {
            organization,
            command,
        })
        .await;
        rig
    }

    /// Another process's directory over the same log, and its wire.
    pub async fn elsewhere(&self) -> (Arc<Directory>, Arc<Wire>) {
        let wire = Wire::to(&self.log);
        let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
        let directory = Directory::start(self.log.clone(), wire.clone(), self.clock.clone(), &spawn).await;
        (directory.expect("starts"), wire)
    }

    pub async fn run(&self, use_case: impl Transact + 'static) {
        let context = CommandContext {
            actor: Actor::system("test"),
            command: CommandId::from_uuid(SystemIds.next()),
            causation: None,
            trace: None,
        };
        self.executor
            .execute(context, Arc::new(use_case))
            .await
            .expect("taken");
    }

    pub async fn rename(&self, name: &str) {
        let command = OrganizationCommand::Rename { name: name.into() };
        let organization = self.organization;
        self.run(ChangeOrganization {
            organization,
            expected: None,
            command,
        })
        .await;
    }

    pub async fn name(&self) -> String {
        name(
            &self
                .directory
                .get(self.organization.into())
                .await
                .expect("reads")
                .expect("exists"),
        )
    }

    /// Waits until the directory answers this name.
    pub async fn answers(&self, wanted: &str) {
        for _ in 0..200 {
            if self.name().await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the directory still answers {} after a second", self.name().await);
    }

    /// Keeps the organization in memory; the tail is quiet by then.
    pub async fn keep(&self) {
        for _ in 0..200 {
            self.name().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.directory.kept(self.organization.into()).await.is_some() {
                return;
            }
        }
        panic!("nothing is kept");
    }
}

fn name(known: &Known) -> String {
    match &known.state {
        State::Organization(state) => state.name.clone(),
        other => panic!("{other:?}"),
    }
}
