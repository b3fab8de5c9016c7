//! The projector: workers for every shard, and rebuilds beside them.
//!
//! Before it starts, a generation that followed another life of a shard is emptied, and a view whose fold has changed is
//! left as it is and rebuilt beside its readers. Everything a view holds can be folded again from the log, so nothing here
//! is ever repaired by hand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::view_store::{ViewStore, ViewStoreError};
use vaultstream_domain::ports::{Clock, EventLog, Spawn};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, Registry, ShardNumber};
use vaultstream_kernel::tailer::Tailer;

use crate::generations::Generations;
use crate::lane::{LaneParts, Retried};
use crate::observer::Observer;
use crate::view_name::ViewName;
use crate::views::{tables_of, view};
use crate::watermarks::Watermarks;
use crate::worker::{Control, Worker};

/// How often the log is looked at before marks are believed to be of another history, and the pause in between.
const FOREIGN_LOOKS: u32 = 5;
const FOREIGN_PAUSE_MS: u64 = 100;
/// Requests that may wait for a worker.
const CONTROLS: usize = 8;

/// Bounds of projecting.
#[derive(Debug, Clone, Copy)]
pub struct ProjectorOptions {
    /// The longest a flush waits for company after the one before it, in milliseconds.
    pub flush_ms: u64,
    /// Writes that end that wait.
    pub flush_rows: usize,
    /// Rows a lane keeps in memory.
    pub cache_rows: usize,
    /// Pause before a worker begins again, in milliseconds.
    pub pause_ms: u64,
    /// Events read at once while catching up.
    pub read: usize,
    /// Shards that a rebuild fills at the same time.
    pub rebuild_shards: usize,
    /// Writes a rebuild gathers in memory before it writes them.
    pub rebuild_rows: usize,
    /// How long the tables of an old generation stay after a switch, for processes that have not heard of it yet, in
    /// milliseconds.
    pub retire_ms: u64,
}

impl Default for ProjectorOptions {
    fn default() -> Self {
        Self {
            flush_ms: 50,
            flush_rows: 500,
            cache_rows: 10_000,
            pause_ms: 500,
            read: 2_000,
            rebuild_shards: 2,
            rebuild_rows: 40_000,
            retire_ms: 0,
        }
    }
}

/// Any error of the use case behind [`SwitchGenerations`].
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Writes down what becomes of generations: the ViewGeneration aggregate, through the executor.
#[async_trait]
pub trait SwitchGenerations: Send + Sync {
    /// Starts the next generation of a view in a family; answers its number.
    async fn start(&self, family: &Family, view: ViewName, reason: &str) -> Result<u32, Source>;
    /// Says that a generation is read from now on.
    async fn switch(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        digest: &str,
    ) -> Result<(), Source>;
    /// Says what became of a retry that was asked for; nothing when none is.
    async fn retried(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        retried: Retried,
    ) -> Result<(), Source>;
    /// Says that a generation is given up; nothing when it is not being built any more.
    async fn abandon(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        reason: &str,
    ) -> Result<(), Source>;
}

/// Why a projector cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ViewStoreError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It runs already.
    #[error("the projector runs already")]
    Running,
}

/// What a projector is made of.
#[derive(Clone)]
pub struct ProjectorParts {
    /// Where rows go.
    pub store: Arc<dyn ViewStore>,
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// Follows shards over the bus.
    pub tailer: Tailer,
    /// Paces flushes.
    pub clock: Arc<dyn Clock>,
    /// Starts workers.
    pub spawn: Arc<dyn Spawn>,
    /// The shards.
    pub registry: Arc<Registry>,
    /// Which generations are read.
    pub generations: Arc<Generations>,
    /// Told after every flush.
    pub watermarks: Arc<Watermarks>,
    /// Writes down switches.
    pub switch: Arc<dyn SwitchGenerations>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
    /// Bounds.
    pub options: ProjectorOptions,
}

/// The projector. Cheap to clone; every clone is a handle to the same one.
#[derive(Clone)]
pub struct Projector {
    pub(crate) parts: ProjectorParts,
    /// Whose views it keeps.
    families: Arc<[Family]>,
    controls: Arc<HashMap<ShardNumber, mpsc::Sender<Control>>>,
    waiting: Arc<Mutex<BTreeMap<ShardNumber, mpsc::Receiver<Control>>>>,
    /// One rebuild at a time.
    pub(crate) rebuilding: Arc<tokio::sync::Mutex<()>>,
}

impl Projector {
    /// A projector of every family. Nothing runs yet.
    pub fn new(parts: ProjectorParts) -> Self {
        let families: BTreeSet<Family> = parts
            .registry
            .entries()
            .iter()
            .map(|e| e.family.clone())
            .collect();
        Self::of_families(parts, families.into_iter().collect())
    }

    /// A projector of some families, where other processes keep the others. Nothing runs yet.
    pub fn of_families(parts: ProjectorParts, families: Vec<Family>) -> Self {
        let (mut controls, mut waiting) = (HashMap::new(), BTreeMap::new());
        for entry in parts.registry.entries() {
            let is_kept = families.contains(&entry.family);
            if is_kept && ViewName::ALL.iter().any(|name| name.covers(&entry.family)) {
                let (sender, receiver) = mpsc::channel(CONTROLS);
                controls.insert(entry.number, sender);
                waiting.insert(entry.number, receiver);
            }
        }
        Self {
            parts,
            families: families.into(),
            controls: Arc::new(controls),
            waiting: Arc::new(Mutex::new(waiting)),
            rebuilding: Arc::default(),
        }
    }

    /// Makes the tables of every generation that is read, so that reads can be answered. [`Self::run`] does it too.
    pub async fn prepare(&self) -> Result<(), ProjectorError> {
        for name in ViewName::ALL {
            for family in self.families_of(name) {
                self.prepare_view(name, family).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn families_of(&self, name: ViewName) -> Vec<Family> {
        let mut families = name.families(&self.parts.registry);
        families.retain(|family| self.families.contains(family));
        families
    }

    /// Makes a generation's tables, empties them when they followed another history, and answers whether the fold that
    /// filled them is today's.
    async fn prepare_view(&self, name: ViewName, family: Family) -> Result<bool, ProjectorError> {
        let (store, view) = (&self.parts.store, view(name));
        let generation = self.parts.generations.current(name, &family);
        let at = name.at(family, generation);
        store.create(&at, &tables_of(view.as_ref())).await?;
        let marks = store.watermarks(&at).await?;
        let is_foreign = self.is_foreign(&marks).await?;
        if is_foreign || (marks.is_empty() && self.is_of_an_earlier_life(&at).await?) {
            tracing::warn!(view = at.view, family = %at.family, "the view followed another history; it is folded anew");
            store.drop_generation(&at).await?;
            store.create(&at, &tables_of(view.as_ref())).await?;
        }
        match self.version_of(&at).await? {
            None => {
                self.write_life(&at).await?;
                self.write_version(&at, view.as_ref()).await?;
                Ok(true)
            }
            Some(version) => Ok(version == u64::from(view.version())),
        }
    }

    /// Whether marks are of another history than the log's. Whoever keeps the view beside this process moves its marks, and
    /// what is known of the log's heads may be a moment old: marks are taken to be beyond the log only when they stay so.
    async fn is_foreign(&self, marks: &BTreeMap<ShardNumber, Place>) -> Result<bool, LogError> {
        for look in 0..FOREIGN_LOOKS {
            if look > 0 {
                self.parts.clock.sleep_ms(FOREIGN_PAUSE_MS).await;
            }
            let heads = self.parts.log.heads().await?;
            let is_beyond = marks.iter().any(|(shard, place)| {
                place.position > 0
                    && heads
                        .get(shard)
                        .is_none_or(|h| h.incarnation != place.incarnation || h.position < place.position)
            });
            if !is_beyond {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps all views until `shutdown`, and rebuilds those that operators ask for; returns when every worker has flushed and stopped.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), ProjectorError> {
        let (mut kept, mut stale): (HashMap<ShardNumber, Vec<LaneParts>>, Vec<_>) =
            (HashMap::new(), Vec::new());
        for name in ViewName::ALL {
            for family in self.families_of(name) {
                if !self.prepare_view(name, family.clone()).await? {
                    stale.push((name, family));
                    continue;
                }
                let generation = self.parts.generations.current(name, &family);
                for shard in self.parts.registry.shards_of(&family) {
                    kept.entry(shard)
                        .or_default()
                        .push(self.lane(name, &family, generation, shard));
                }
            }
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if waiting.is_empty() && !self.controls.is_empty() {
            return Err(ProjectorError::Running);
        }
        let (alive, mut ended) = mpsc::channel::<()>(1);
        for (shard, control) in waiting {
            let worker = Worker {
                shard,
                tailer: self.parts.tailer.clone(),
                log: Arc::clone(&self.parts.log),
                clock: Arc::clone(&self.parts.clock),
                observer: Arc::clone(&self.parts.observer),
                options: self.parts.options,
                kept: kept.remove(&shard).unwrap_or_default(),
                control,
            };
            let (alive, shutdown) = (alive.clone(), shutdown.clone());
            let work = async move {
                worker.run(shutdown).await;
                drop(alive);
            };
            self.parts.spawn.spawn("projector", Box::pin(work));
        }
        drop(alive);
        for (name, family) in stale {
            if let Err(error) = self
                .rebuild(name, &family, "the fold has changed", &shutdown)
                .await
            {
                report(name, &family, &error);
            }
        }
        tokio::join!(self.serve_requests(&shutdown), self.serve_retries(&shutdown));
        // Nobody sends; the channel closes when the last worker has gone.
        let _ = ended.recv().await;
        Ok(())
    }

    pub(crate) fn lane(
        &self,
        name: ViewName,
        family: &Family,
        generation: u32,
        shard: ShardNumber,
    ) -> LaneParts {
        LaneParts {
            store: Arc::clone(&self.parts.store),
            log: Arc::clone(&self.parts.log),
            watermarks: Arc::clone(&self.parts.watermarks),
            view: view(name),
            at: name.at(family.clone(), generation),
            shard,
            cache_rows: self.parts.options.cache_rows,
        }
    }

    /// Asks a shard's worker for something; `None` when none runs.
    pub(crate) async fn ask(&self, shard: ShardNumber, control: Control) -> Option<()> {
        let is_running = !self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&shard);
        if !is_running {
            return None;
        }
        self.controls.get(&shard)?.send(control).await.ok()
    }
}

pub(crate) fn report(view: ViewName, family: &Family, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(view = view.as_str(), %family, error, "a view could not be rebuilt");
}
