//! A node as the projectors run it: any log, any bus, any view store.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{Bus, EventLog, ViewStore};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{Family, Slug};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, Synchronous};
use vaultstream_kernel::tailer::{TailOptions, Tailer};
use vaultstream_kernel::{LogBus, TracingObserver};
use vaultstream_projectors::dump::dump;
use vaultstream_projectors::views::view;
use vaultstream_projectors::{
    Generations, OnlyNumbers, Projector, ProjectorOptions, ProjectorParts, Reads, ReadsParts, ViewName,
    Watermarks,
};

use crate::history::chain;

pub fn slug(n: usize) -> Slug {
    Slug::try_new(["eth_one", "eth_two"][n]).expect("valid")
}

pub fn families() -> Vec<(Family, u16)> {
    vec![
        (Family::Core, 2),
        (Family::Audit, 1),
        (Family::Chain(slug(0)), 2),
        (Family::Chain(slug(1)), 1),
    ]
}

/// The families that views have stores in.
pub fn stored() -> Vec<Family> {
    families()
        .into_iter()
        .map(|(family, _)| family)
        .filter(|family| *family != Family::Audit)
        .collect()
}

/// A log in a directory of its own.
pub fn log() -> (Arc<SqliteLog>, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = LogOptions {
        synchronous: Synchronous::Normal,
        ..LogOptions::new(dir.path().join("log.db"), families())
    };
    (Arc::new(SqliteLog::open(&options).expect("the log opens")), dir)
}

pub struct Node {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn ViewStore>,
    pub projector: Projector,
    pub reads: Reads,
    generations: Arc<Generations>,
    shutdown: CancellationToken,
}

impl Node {
    /// Projects a log into a store from now on, as one machine does.
    pub fn start(log: Arc<dyn EventLog>, store: Arc<dyn ViewStore>, options: ProjectorOptions) -> Self {
        let bus = Arc::new(LogBus::new(log.clone()));
        Self::over(bus, log, store, options)
    }

    /// Projects what comes over a bus, and from the log what does not.
    pub fn over(
        bus: Arc<dyn Bus>,
        log: Arc<dyn EventLog>,
        store: Arc<dyn ViewStore>,
        options: ProjectorOptions,
    ) -> Self {
        let registry = log.registry();
        let (generations, watermarks) = (Arc::new(Generations::default()), Arc::new(Watermarks::default()));
        let clock = Arc::new(SystemClock);
        let observer = Arc::new(TracingObserver);
        let tailer = Tailer::new(bus, log.clone(), clock.clone(), observer, TailOptions::default());
        let projector = Projector::new(ProjectorParts {
            store: store.clone(),
            log: log.clone(),
            tailer,
            clock: clock.clone(),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            registry: registry.clone(),
            generations: generations.clone(),
            watermarks: watermarks.clone(),
            switch: Arc::new(OnlyNumbers::default()),
            observer: Arc::new(vaultstream_projectors::Unobserved),
            options,
        });
        let reads = Reads::new(ReadsParts {
            store: store.clone(),
            clock,
            registry,
            chains: (0..2).map(|n| (chain(n), slug(n))).collect(),
            generations: generations.clone(),
            watermarks,
        });
        let shutdown = CancellationToken::new();
        let (running, until) = (projector.clone(), shutdown.clone());
        tokio::spawn(async move { running.run(until).await });
        Self {
            log,
            store,
            projector,
            reads,
            generations,
            shutdown,
        }
    }

    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until every view holds everything.
    pub async fn caught_up(&self) {
        let heads = self.log.heads().await.expect("readable");
        let place = |head: &vaultstream_domain::ports::event_log::Head| Place {
            incarnation: head.incarnation,
            position: head.position,
        };
        let positions = Positions(heads.iter().map(|(shard, head)| (*shard, place(head))).collect());
        let waited = self.reads.wait(&ViewName::ALL, &positions, 120_000).await;
        waited.expect("the views catch up");
    }

    /// The dump of every view in every family, at the generation that is read.
    pub async fn dumps(&self) -> BTreeMap<(ViewName, Family), Vec<u8>> {
        let mut dumps = BTreeMap::new();
        for name in ViewName::ALL {
            for family in name.families(&self.log.registry()) {
                let at = name.at(family.clone(), self.generations.current(name, &family));
                let mut bytes = Vec::new();
                let dumped = dump(self.store.as_ref(), view(name).as_ref(), &at, &mut |line| {
                    bytes.extend_from_slice(line);
                })
                .await;
                dumped.expect("readable");
                dumps.insert((name, family), bytes);
            }
        }
        dumps
    }
}
