//! What the doors have to know of core streams at every request: organizations, keys, sessions, vaults. Kept in memory,
//! and forgotten the moment the log says that it changed.
//!
//! Every core shard is tailed; an event of a kept stream drops it, and the next request folds it anew. So a revocation
//! counts on every node as soon as its bus has delivered it, and within a second whatever the bus does: what is kept is
//! believed only while the log has confirmed a moment ago that the tail heard everything (see [`trust`]); else it is read
//! from the log. What is read while an event arrives is used once and not kept. The memory is bounded; what falls out is
//! read again.

mod trust;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lru::LruCache;
use tokio::sync::watch;
use vaultstream_domain::State;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::{Bus, Clock, EventLog, Spawn};
use vaultstream_event_schemas::envelope::{Owner, StoredEvent};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{
    Family, OrganizationId, Registry, ShardNumber, StreamId, StreamKind, Timestamp,
};
use vaultstream_kernel::{LoadError, load_state};

use crate::error::ApiError;
use trust::Trust;

/// How many streams are kept.
const MAX_KEPT: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// How often long-lived connections are told to look again while a tail is not trusted.
const PULSE_MS: u64 = 150;
/// Pause after a bus had nothing: one that says so at once is not asked without end.
const IDLE_MS: u64 = 10;
/// Events taken from the bus at a time.
const BATCH: usize = 1_000;

/// A stream as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The stream.
    pub stream: StreamId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose it is.
    pub owner: Owner,
    /// Its folded state.
    pub state: State,
    /// The sequence of its last event.
    pub version: u64,
    /// When its first event happened.
    pub created_at: Timestamp,
    /// Where its first event stands.
    pub born: Place,
    /// Its first event, which says what the fold leaves out.
    pub first: StoredEvent,
}

/// Reads a stream from the log; `None` when it does not exist.
pub async fn read(log: &dyn EventLog, stream: StreamId) -> Result<Option<Known>, ApiError> {
    if log.registry().entry(stream.shard()).is_none() {
        return Ok(None);
    }
    let Some(first) = log.read_stream(stream, 0, 1).await?.into_iter().next() else {
        return Ok(None);
    };
    let loaded = load_state(log, stream).await?;
    Ok(Some(Known {
        stream,
        organization: first.envelope.organization,
        owner: first.envelope.owner,
        state: loaded.state,
        version: loaded.version,
        created_at: first.envelope.occurred_at,
        born: Place {
            incarnation: first.envelope.incarnation,
            position: first.position,
        },
        first,
    }))
}

impl From<LoadError> for ApiError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Log(error) => error.into(),
            error => Self::new(vaultstream_event_schemas::ErrorCode::EventUnreadable).caused_by(error),
        }
    }
}

/// The memory. See the module.
pub struct Directory {
    log: Arc<dyn EventLog>,
    registry: Arc<Registry>,
    kept: Mutex<LruCache<StreamId, Arc<Known>>>,
    /// Counts the changes that were heard of.
    changes: watch::Sender<u64>,
    trust: Trust,
}

impl Directory {
    /// Begins to listen at the log's heads, one task a core shard. The tasks end when the directory is dropped.
    pub async fn start(
        log: Arc<dyn EventLog>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        spawn: &dyn Spawn,
    ) -> Result<Arc<Self>, LogError> {
        let heads = log.heads().await?;
        let registry = log.registry();
        let shards: Vec<_> = registry.shards_of(&Family::Core).collect();
        let begins = |shard: ShardNumber| heads.get(&shard).map_or(0, |head| head.position);
        let trust = Trust::new(
            Arc::clone(&log),
            Arc::clone(&clock),
            shards.iter().map(|shard| (*shard, begins(*shard))),
        );
        let directory = Arc::new(Self {
            log,
            registry,
            kept: Mutex::new(LruCache::new(MAX_KEPT)),
            changes: watch::channel(0).0,
            trust,
        });
        for shard in &shards {
            let tail = Tail {
                directory: Arc::downgrade(&directory),
                bus: Arc::clone(&bus),
                shard: *shard,
                position: begins(*shard),
            };
            spawn.spawn("gateway-directory", Box::pin(tail.run(Arc::clone(&clock))));
        }
        let pulse = pulse(Arc::downgrade(&directory), shards, clock);
        spawn.spawn("gateway-directory-pulse", Box::pin(pulse));
        Ok(directory)
    }

    /// A stream as it is kept, when it is and can be believed.
    pub async fn kept(&self, stream: StreamId) -> Option<Arc<Known>> {
        if !self.remembers(stream) || !self.trust.holds(stream.shard()).await {
            return None;
        }
        // Looked up after that: what the tail has heard meanwhile is forgotten by now.
        self.lock().get(&stream).cloned()
    }

    /// Whether a stream was read before, whatever has become of it since.
    pub fn remembers(&self, stream: StreamId) -> bool {
        self.lock().contains(&stream)
    }

    /// A core stream as it stands; `None` when it does not exist.
    pub async fn get(&self, stream: StreamId) -> Result<Option<Arc<Known>>, ApiError> {
        match self.kept(stream).await {
            Some(known) => Ok(Some(known)),
            None => self.fresh(stream).await,
        }
    }

    /// The same, read from the log now.
    pub async fn fresh(&self, stream: StreamId) -> Result<Option<Arc<Known>>, ApiError> {
        let core = self
            .registry
            .entry(stream.shard())
            .is_some_and(|entry| entry.family == Family::Core);
        let before = *self.changes.borrow();
        let Some(known) = read(&*self.log, stream).await?.map(Arc::new) else {
            return Ok(None);
        };
        let mut kept = self.lock();
        // Under the lock a change is either counted already or will find what is put here.
        if core && *self.changes.borrow() == before {
            kept.put(stream, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    /// Wakes whenever something changed that the doors care about.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<StreamId, Arc<Known>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, streams: &[StreamId]) {
        let mut kept = self.lock();
        for stream in streams {
            kept.pop(stream);
        }
        self.changes.send_modify(|n| *n += 1);
    }

    fn forget_all(&self) {
        self.lock().clear();
        self.changes.send_modify(|n| *n += 1);
    }
}

/// Whether the doors keep streams of this kind. Claims come at the rate of commands and are never kept.
const fn is_kept(kind: StreamKind) -> bool {
    matches!(
        kind,
        StreamKind::Organization | StreamKind::ApiKey | StreamKind::Session | StreamKind::Vault
    )
}

/// Listens to one shard.
struct Tail {
    directory: Weak<Directory>,
    bus: Arc<dyn Bus>,
    shard: ShardNumber,
    position: u64,
}

impl Tail {
    async fn run(mut self, clock: Arc<dyn Clock>) {
        loop {
            let fetched = self.bus.fetch(self.shard, self.position, BATCH).await;
            let Some(directory) = self.directory.upgrade() else {
                return;
            };
            match fetched {
                Ok(events) => {
                    let is_news = self.take(&directory, &events);
                    drop(directory);
                    if !is_news {
                        clock.sleep_ms(IDLE_MS).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(shard = %self.shard, error = %Causes(&error), "the directory cannot listen; it reads the log instead");
                    drop(directory);
                    clock.sleep_ms(200).await;
                }
            }
        }
    }

    /// Forgets what has changed; whether anything was new.
    fn take(&mut self, directory: &Directory, events: &[StoredEvent]) -> bool {
        let new: Vec<_> = events.iter().filter(|e| e.position > self.position).collect();
        let (Some(first), Some(last)) = (new.first(), new.last()) else {
            return false;
        };
        if first.position > self.position + 1 {
            directory.forget_all();
        }
        let kept = |e: &&&StoredEvent| is_kept(e.envelope.stream.kind);
        let changed: Vec<_> = new.iter().filter(kept).map(|e| e.envelope.stream).collect();
        self.position = last.position;
        if !changed.is_empty() {
            directory.forget(&changed);
        }
        directory.trust.moved(self.shard, self.position);
        true
    }
}

/// Wakes those who wait for changes while a tail that they rely on is not trusted. Nothing is asked while nobody waits.
async fn pulse(directory: Weak<Directory>, shards: Vec<ShardNumber>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep_ms(PULSE_MS).await;
        let Some(directory) = directory.upgrade() else {
            return;
        };
        if directory.changes.receiver_count() == 0 {
            continue;
        }
        for shard in &shards {
            if !directory.trust.holds(*shard).await {
                directory.changes.send_modify(|n| *n += 1);
                break;
            }
        }
    }
}
