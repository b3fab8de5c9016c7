//! The directory over a real log, with a bus that can be made to fail: what is kept, when it is dropped, when it is not
//! believed.

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

/// A bus that says nothing while it is cut, and loses what it has while it is lossy.
struct Wire {
    bus: LogBus,
    cut: AtomicBool,
    lossy: AtomicBool,
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
        if self.lossy.load(Ordering::SeqCst) && events.len() > 1 {
            events.drain(..events.len() - 1);
        }
        Ok(events)
    }
}

/// The system's clock, moved ahead by hand.
#[derive(Default)]
struct Ahead(AtomicI64);

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_seconds(self.0.load(Ordering::SeqCst))
    }
    async fn sleep_ms(&self, ms: u64) {
        SystemClock.sleep_ms(ms).await;
    }
}

struct Rig {
    executor: Executor,
    directory: Arc<Directory>,
    wire: Arc<Wire>,
    clock: Arc<Ahead>,
    organization: OrganizationId,
    stop: CancellationToken,
    _files: TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Rig {
    async fn start() -> Self {
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
        let wire = Arc::new(Wire {
            bus: LogBus::new(log.clone()),
            cut: AtomicBool::new(false),
            lossy: AtomicBool::new(false),
        });
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

    async fn run(&self, use_case: impl Transact + 'static) {
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

    async fn rename(&self, name: &str) {
        let command = OrganizationCommand::Rename { name: name.into() };
        let organization = self.organization;
        self.run(ChangeOrganization {
            organization,
            expected: None,
            command,
        })
        .await;
    }

    async fn name(&self) -> String {
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
    async fn answers(&self, wanted: &str) {
        for _ in 0..200 {
            if self.name().await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the directory still answers {} after a second", self.name().await);
    }

    /// Keeps the organization in memory; the tail is quiet by then.
    async fn keep(&self) {
        for _ in 0..200 {
            self.name().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.directory.kept(self.organization.into()).is_some() {
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

#[tokio::test(flavor = "multi_thread")]
async fn change_should_be_heard_and_the_kept_state_dropped() {
    let rig = Rig::start().await;
    rig.keep().await;
    let mut changes = rig.directory.changes();
    rig.rename("Second").await;
    tokio::time::timeout(Duration::from_secs(1), changes.changed())
        .await
        .expect("heard")
        .expect("alive");
    rig.answers("Second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_tail_should_not_be_believed() {
    let rig = Rig::start().await;
    rig.keep().await;
    rig.wire.cut.store(true, Ordering::SeqCst);
    // A fetch that was under way when the wire was cut has come back after this.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    rig.rename("Second").await;
    rig.clock.0.store(60, Ordering::SeqCst);
    assert!(
        rig.directory.kept(rig.organization.into()).is_none(),
        "a minute of silence"
    );
    assert_eq!(rig.name().await, "Second", "the log is asked instead");
    rig.wire.cut.store(false, Ordering::SeqCst);
    rig.keep().await;
    assert_eq!(rig.name().await, "Second");
}

#[tokio::test(flavor = "multi_thread")]
async fn hole_in_the_bus_should_drop_everything() {
    let rig = Rig::start().await;
    rig.keep().await;
    rig.wire.cut.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    rig.rename("Second").await;
    // The last event is of another stream, so only the hole before it can say that the first one changed.
    let other = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), rig.organization.shard()));
    let command = OrganizationCommand::Register {
        name: "Other".into(),
        approval: Approval::None,
        contact: None,
    };
    rig.run(RegisterOrganization {
        organization: other,
        command,
    })
    .await;
    rig.wire.lossy.store(true, Ordering::SeqCst);
    rig.wire.cut.store(false, Ordering::SeqCst);
    rig.answers("Second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stranger_should_be_nothing_and_keep_nothing() {
    let rig = Rig::start().await;
    let nobody = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), rig.organization.shard()));
    assert!(rig.directory.get(nobody.into()).await.expect("reads").is_none());
    let nowhere = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), ShardNumber(999)));
    assert!(
        rig.directory.get(nowhere.into()).await.expect("reads").is_none(),
        "a shard that does not exist"
    );
}
