//! A node in a temporary directory: log, views, projector, reads; and a lane by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::view_store::ViewRef;
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{Family, Registry, ShardNumber, Slug};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteViews, Synchronous, ViewOptions};
use vaultstream_kernel::tailer::{TailOptions, Tailer};
use vaultstream_kernel::{LogBus, TracingObserver};
use vaultstream_projectors::dump::digest;
use vaultstream_projectors::lane::{Decoded, Lane, LaneParts};
use vaultstream_projectors::projector::Source;
use vaultstream_projectors::view::View;
use vaultstream_projectors::views::{tables_of, view};
use vaultstream_projectors::{
    Fact, Generations, Observer, Projector, ProjectorOptions, ProjectorParts, Reads, ReadsParts, Retried,
    SwitchGenerations, ViewName, Watermarks,
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

/// Keeps numbers only; what the aggregate does with them is tested with the aggregate.
#[derive(Default)]
pub struct Numbers {
    next: AtomicU32,
    pub switched: AtomicU32,
    pub abandoned: AtomicU32,
}

#[async_trait]
impl SwitchGenerations for Numbers {
    async fn start(&self, _: &Family, _: ViewName, _: &str) -> Result<u32, Source> {
        Ok(self.next.fetch_add(1, Ordering::SeqCst) + 2)
    }
    async fn switch(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        self.switched.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    async fn retried(&self, _: &Family, _: ViewName, _: u32, _: Retried) -> Result<(), Source> {
        Ok(())
    }
    async fn abandon(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// What projectors told of themselves.
#[derive(Default)]
pub struct Told {
    pub folded: AtomicUsize,
    pub rows: AtomicUsize,
    pub rebuilt: AtomicUsize,
    pub running: AtomicI64,
    pub begun: AtomicUsize,
}

impl Observer for Told {
    fn observe(&self, fact: &Fact<'_>) {
        let count = |counter: &AtomicUsize, more: usize| {
            counter.fetch_add(more, Ordering::SeqCst);
        };
        match fact {
            Fact::Folded { events, .. } => count(&self.folded, *events),
            Fact::Flushed { rows, .. } => count(&self.rows, *rows),
            Fact::Rebuilt { events, .. } => count(&self.rebuilt, *events),
            Fact::Retried { .. } => {}
            Fact::Rebuilding { is_running, .. } => {
                count(&self.begun, usize::from(*is_running));
                self.running
                    .fetch_add(if *is_running { 1 } else { -1 }, Ordering::SeqCst);
            }
        }
    }
}

pub struct Node {
    pub log: Arc<SqliteLog>,
    pub registry: Arc<Registry>,
    pub store: Arc<SqliteViews>,
    pub generations: Arc<Generations>,
    pub watermarks: Arc<Watermarks>,
    pub switch: Arc<Numbers>,
    pub told: Arc<Told>,
    pub projector: Projector,
    pub reads: Reads,
    pub shutdown: CancellationToken,
    running: Option<JoinHandle<()>>,
    // Last, so that files are closed before their directory goes.
    _dir: Arc<tempfile::TempDir>,
}

impl Node {
    pub fn new() -> Self {
        Self::with(ProjectorOptions::default())
    }

    pub fn with(options: ProjectorOptions) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        let log_options = LogOptions {
            synchronous: Synchronous::Normal,
            ..LogOptions::new(dir.path().join("log.db"), families())
        };
        let log = Arc::new(SqliteLog::open(&log_options).expect("the log opens"));
        let views = ViewOptions::new(
            dir.path(),
            families().into_iter().map(|(family, _)| family).collect(),
        );
        let store = Arc::new(SqliteViews::open(&views).expect("the views open"));
        Self::on(dir, log, store, options)
    }

    /// The same files, read by a process that knows nothing.
    pub async fn restarted(mut self, options: ProjectorOptions) -> Self {
        self.stop().await;
        let (dir, log, store) = (self._dir.clone(), self.log.clone(), self.store.clone());
        Self::on(dir, log, store, options)
    }

    fn on(
        dir: Arc<tempfile::TempDir>,
        log: Arc<SqliteLog>,
        store: Arc<SqliteViews>,
        options: ProjectorOptions,
    ) -> Self {
        let registry = log.registry();
        let generations = Arc::new(Generations::default());
        let (watermarks, switch) = (Arc::new(Watermarks::default()), Arc::new(Numbers::default()));
        let told = Arc::new(Told::default());
        let projector = Projector::new(ProjectorParts {
            store: store.clone(),
            log: log.clone(),
            tailer: tailer(&log),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            registry: registry.clone(),
            generations: generations.clone(),
            watermarks: watermarks.clone(),
            switch: switch.clone(),
            observer: told.clone(),
            options,
        });
        let reads = Reads::new(ReadsParts {
            store: store.clone(),
            clock: Arc::new(SystemClock),
            registry: registry.clone(),
            chains: (0..2).map(|n| (chain(n), slug(n))).collect(),
            generations: generations.clone(),
            watermarks: watermarks.clone(),
        });
        let shutdown = CancellationToken::new();
        Self {
            log,
            registry,
            store,
            generations,
            watermarks,
            switch,
            told,
            projector,
            reads,
            shutdown,
            running: None,
            _dir: dir,
        }
    }

    /// The same node, with switches that are written into its log.
    pub fn switching(&mut self, switch: Arc<dyn SwitchGenerations>) {
        self.projector = Projector::new(ProjectorParts {
            store: self.store.clone(),
            log: self.log.clone(),
            tailer: tailer(&self.log),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            registry: self.registry.clone(),
            generations: self.generations.clone(),
            watermarks: self.watermarks.clone(),
            switch,
            observer: self.told.clone(),
            options: ProjectorOptions::default(),
        });
    }

    pub fn start(&mut self) {
        let (projector, shutdown) = (self.projector.clone(), self.shutdown.clone());
        self.running = Some(tokio::spawn(async move {
            projector.run(shutdown).await.expect("the projector runs");
        }));
    }

    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(running) = self.running.take() {
            running.await.expect("the projector ends in peace");
        }
    }

    /// Where the log stands.
    pub async fn positions(&self) -> Positions {
        let heads = self.log.heads().await.expect("readable");
        let place = |head: &vaultstream_domain::ports::event_log::Head| Place {
            incarnation: head.incarnation,
            position: head.position,
        };
        Positions(heads.iter().map(|(shard, head)| (*shard, place(head))).collect())
    }

    /// Waits until every view holds everything.
    pub async fn caught_up(&self) {
        let positions = self.positions().await;
        self.reads
            .wait(&ViewName::ALL, &positions, 30_000)
            .await
            .expect("the views catch up");
    }

    /// Digests of every view in every family, at the generation that is read.
    pub async fn digests(&self) -> BTreeMap<(ViewName, Family), String> {
        let mut digests = BTreeMap::new();
        for name in ViewName::ALL {
            for family in name.families(&self.registry) {
                let generation = self.generations.current(name, &family);
                let at = name.at(family.clone(), generation);
                let digest = digest(self.store.as_ref(), view(name).as_ref(), &at)
                    .await
                    .expect("readable");
                digests.insert((name, family), digest);
            }
        }
        digests
    }

    pub async fn create(&self, at: &ViewRef, view: &dyn View) {
        self.store.create(at, &tables_of(view)).await.expect("created");
    }

    pub fn lane(&self, view: &Arc<dyn View>, at: &ViewRef, shard: ShardNumber) -> LaneParts {
        LaneParts {
            store: self.store.clone(),
            log: self.log.clone(),
            watermarks: self.watermarks.clone(),
            view: view.clone(),
            at: at.clone(),
            shard,
            cache_rows: 50,
        }
    }

    pub async fn events(&self, shard: ShardNumber) -> Vec<StoredEvent> {
        let (mut events, mut after): (Vec<StoredEvent>, u64) = (Vec::new(), 0);
        loop {
            let page = self.log.read_shard(shard, after, 10_000).await.expect("readable");
            let Some(last) = page.last() else { return events };
            after = last.position;
            events.extend(page);
        }
    }

    /// Fills a generation in one go, as the plainest reference: no crash, no repeats.
    pub async fn reference(&self, view: &Arc<dyn View>, at: &ViewRef) -> String {
        self.create(at, view.as_ref()).await;
        for shard in self.registry.shards_of(&at.family) {
            let mut lane = Lane::open(self.lane(view, at, shard), 1).await.expect("opens");
            lane.apply(&decoded(self.events(shard).await))
                .await
                .expect("folds");
            lane.flush().await.expect("writes");
        }
        digest(self.store.as_ref(), view.as_ref(), at)
            .await
            .expect("readable")
    }
}

fn tailer(log: &Arc<SqliteLog>) -> Tailer {
    Tailer::new(
        Arc::new(LogBus::new(log.clone())),
        log.clone(),
        Arc::new(SystemClock),
        Arc::new(TracingObserver),
        TailOptions::default(),
    )
}

pub fn decoded(events: Vec<StoredEvent>) -> Vec<Decoded> {
    events
        .into_iter()
        .map(|stored| Decoded::new(stored, true))
        .collect()
}
