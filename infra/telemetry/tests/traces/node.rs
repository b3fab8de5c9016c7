//! The parts between a request and a view, on embedded engines.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::CommandContext;
use vaultstream_domain::organization::{OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::{EventLog, Ids};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{Actor, CommandId, Family, OrganizationId, id};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteViews, Synchronous, ViewOptions};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Executor, LogBus, Options, Ports, Tailer, TracingObserver};
use vaultstream_projectors::{
    Generations, NoRebuilds, Projector, ProjectorOptions, ProjectorParts, Watermarks,
};

/// A log, an executor, a projector.
#[derive(Clone)]
pub struct Node {
    log: Arc<SqliteLog>,
    executor: Executor,
    stop: CancellationToken,
    _dir: Arc<tempfile::TempDir>,
}

impl Node {
    pub async fn start() -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        let families = vec![(Family::Core, 1), (Family::Audit, 1)];
        let options = LogOptions {
            synchronous: Synchronous::Normal,
            ..LogOptions::new(dir.path().join("log.db"), families.clone())
        };
        let log = Arc::new(SqliteLog::open(&options).expect("the log opens"));
        let families = families.into_iter().map(|(family, _)| family).collect();
        let views = SqliteViews::open(&ViewOptions::new(dir.path(), families)).expect("the views open");
        let stop = CancellationToken::new();
        let (clock, spawn) = (
            Arc::new(SystemClock),
            Arc::new(TokioSpawn::new(Handle::current())),
        );
        let observer = Arc::new(TracingObserver);
        let ports = Ports {
            log: log.clone(),
            clock: clock.clone(),
            spawn: spawn.clone(),
            observer: observer.clone(),
        };
        let executor = Executor::start(Options::default(), ports, stop.clone());
        let bus = Arc::new(LogBus::new(log.clone()));
        let projector = Projector::new(ProjectorParts {
            store: Arc::new(views),
            log: log.clone(),
            tailer: Tailer::new(bus, log.clone(), clock.clone(), observer, TailOptions::default()),
            clock,
            spawn,
            registry: log.registry(),
            generations: Arc::new(Generations::default()),
            watermarks: Arc::new(Watermarks::default()),
            switch: Arc::new(NoRebuilds),
            observer: Arc::new(vaultstream_projectors::Unobserved),
            options: ProjectorOptions::default(),
        });
        projector.prepare().await.expect("prepared");
        let running = stop.clone();
        tokio::spawn(async move { projector.run(running).await });
        Self {
            log,
            executor,
            stop,
            _dir: dir,
        }
    }

    /// Registers an organization on behalf of a request.
    pub async fn register(&self, trace: Option<String>) {
        let bare = SystemIds.next();
        let shard = self.log.registry().place(&Family::Core, bare).expect("core");
        let use_case = RegisterOrganization {
            organization: OrganizationId::from_uuid(id::with_shard(bare, shard)),
            command: OrganizationCommand::Register {
                name: "Acme".into(),
                approval: Approval::None,
                contact: None,
            },
        };
        let context = CommandContext {
            actor: Actor::system("test"),
            command: CommandId::from_uuid(SystemIds.next()),
            causation: None,
            trace,
        };
        let done = self.executor.execute(context, Arc::new(use_case)).await;
        assert_eq!(done.expect("committed").events.len(), 1);
    }

    pub async fn stop(&self) {
        self.stop.cancel();
        tokio::task::yield_now().await;
    }
}
