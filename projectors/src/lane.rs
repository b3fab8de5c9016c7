//! One generation of one view, kept for one shard: fold, park what cannot be folded, flush.
//!
//! A lane that meets a failing store is thrown away and opened again from its watermark; it never patches itself up. What
//! cannot be folded parks its stream, from that event on, and nothing else; parked streams are tried again, in order,
//! whenever the lane is opened and whenever an operator asks for it.

mod quarantine;

pub use quarantine::Retried;
pub(crate) use quarantine::parked;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;
use vaultstream_domain::Event;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::view_store::{
    Flush, MAX_SCAN, RowKey, RowWrite, ViewRef, ViewStore, ViewStoreError,
};
use vaultstream_domain::ports::{EventLog, Spawn};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{ShardNumber, StreamId};

use crate::cache::{FoldError, RowCache};
use crate::rows::{IndexRow, QuarantineRow};
use crate::view::{Seen, View};
use crate::watermarks::{Mark, Watermarks};

/// The most rows of one call to the store.
const FLUSH_ROWS: usize = 4_000;

/// Why a lane was thrown away.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ViewStoreError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A row of the view itself cannot be read or written.
    #[error("the view's own rows cannot be handled; rebuild the view")]
    Rows(#[from] FoldError),
}

/// An event and what it means today, read once for all lanes.
pub struct Decoded {
    stored: StoredEvent,
    events: Result<Vec<Event>, String>,
}

impl Decoded {
    /// Reads an event when any lane wants it.
    pub fn new(stored: StoredEvent, wanted: bool) -> Self {
        let read = |stored: &StoredEvent| Event::read(stored).map_err(|error| Causes(&error).to_string());
        let events = if wanted { read(&stored) } else { Ok(Vec::new()) };
        Self { stored, events }
    }
}

/// What a lane is made of.
#[derive(Clone)]
pub struct LaneParts {
    /// Where rows go.
    pub store: Arc<dyn ViewStore>,
    /// Where parked streams are read again.
    pub log: Arc<dyn EventLog>,
    /// Told after every flush.
    pub watermarks: Arc<Watermarks>,
    /// The view.
    pub view: Arc<dyn View>,
    /// Its generation and family.
    pub at: ViewRef,
    /// The shard.
    pub shard: ShardNumber,
    /// Rows kept in memory at most.
    pub cache_rows: usize,
}

/// The lane.
pub struct Lane {
    parts: LaneParts,
    cache: RowCache,
    place: Place,
    flushed: Option<Place>,
    parked: HashMap<StreamId, QuarantineRow>,
}

impl Lane {
    /// Goes on where the store stands, after another try at parked streams.
    pub async fn open(parts: LaneParts, incarnation: u32) -> Result<Self, LaneError> {
        let marks = parts.store.watermarks(&parts.at).await?;
        let flushed = marks.get(&parts.shard).copied();
        let place = flushed.unwrap_or(Place {
            incarnation,
            position: 0,
        });
        let cache = RowCache::new();
        let mut lane = Self {
            parts,
            cache,
            place,
            flushed,
            parked: HashMap::new(),
        };
        lane.load_parked().await?;
        lane.retry_parked().await?;
        lane.flush().await?;
        Ok(lane)
    }

    /// Fills an empty generation.
    pub fn building(parts: LaneParts, incarnation: u32) -> Self {
        Self {
            parts,
            cache: RowCache::building(),
            place: Place {
                incarnation,
                position: 0,
            },
            flushed: None,
            parked: HashMap::new(),
        }
    }

    /// The view's generation.
    pub const fn at(&self) -> &ViewRef {
        &self.parts.at
    }
    /// Everything up to here is folded.
    pub const fn place(&self) -> Place {
        self.place
    }
    /// How many writes wait.
    pub fn pending(&self) -> usize {
        self.cache.pending()
    }
    /// Whether the store knows that the lane is here.
    pub fn is_flushed(&self) -> bool {
        self.flushed == Some(self.place)
    }
    /// Whether an event is folded here.
    pub fn wants(&self, event: &StoredEvent) -> bool {
        event.position > self.place.position && self.parts.view.wants(event.envelope.stream.kind)
    }

    /// Folds events; those it has are skipped.
    pub async fn apply(&mut self, batch: &[Decoded]) -> Result<(), LaneError> {
        self.load_needs(batch).await?;
        for decoded in batch {
            let stored = &decoded.stored;
            if stored.position <= self.place.position {
                continue;
            }
            if self.parts.view.wants(stored.envelope.stream.kind) {
                self.fold_or_park(decoded).await?;
            }
            // What an earlier life left is part of the present one.
            self.place = Place {
                incarnation: self.place.incarnation.max(stored.envelope.incarnation),
                position: stored.position,
            };
        }
        Ok(())
    }

    async fn load_needs(&mut self, batch: &[Decoded]) -> Result<(), LaneError> {
        if self.cache.is_complete() {
            return Ok(());
        }
        let mut wanted: HashSet<RowKey> = HashSet::new();
        for decoded in batch {
            if let (Ok(events), true) = (&decoded.events, self.wants(&decoded.stored)) {
                let seen = Seen {
                    stored: &decoded.stored,
                    events,
                    origin: "",
                };
                wanted.extend(
                    self.parts
                        .view
                        .needs(&seen)
                        .into_iter()
                        .filter(|key| !self.cache.knows(key)),
                );
            }
        }
        let wanted: Vec<RowKey> = wanted.into_iter().collect();
        for keys in wanted.chunks(MAX_SCAN) {
            self.load(keys).await?;
        }
        Ok(())
    }

    /// Takes rows as the store has them. A row ahead of the lane was written by another keeper of the shard: one that
    /// took over while this one slept, or one that woke up. The events it has seen are skipped here, and totals known
    /// from before would lack them; so they are read again, after the row, as totals are written before rows.
    async fn load(&mut self, keys: &[RowKey]) -> Result<(), LaneError> {
        let values = self.parts.store.get(&self.parts.at, keys).await?;
        let mut rows = values.iter().flatten();
        let is_overtaken = rows.any(|row| position_of(row) > self.place.position);
        for (key, value) in keys.iter().zip(values) {
            self.cache.load(key.clone(), value);
        }
        if is_overtaken && self.cache.knows_totals() {
            self.flush().await?;
            self.cache.forget_totals();
        }
        Ok(())
    }

    async fn fold_or_park(&mut self, decoded: &Decoded) -> Result<(), LaneError> {
        let stored = &decoded.stored;
        if let Some(row) = self.parked.get_mut(&stored.envelope.stream) {
            row.parked += 1;
            row.pos = stored.position;
            let row = row.clone();
            return self.note_parked(&row, stored.hlc);
        }
        match self.fold(decoded, "").await? {
            Ok(()) => Ok(()),
            Err(reason) => self.park(stored, reason),
        }
    }

    /// Folds one event; the inner error is why it cannot be folded.
    async fn fold(&mut self, decoded: &Decoded, origin: &str) -> Result<Result<(), String>, LaneError> {
        let events = match &decoded.events {
            Ok(events) => events,
            Err(reason) => return Ok(Err(reason.clone())),
        };
        let seen = Seen {
            stored: &decoded.stored,
            events,
            origin,
        };
        loop {
            let view = &self.parts.view;
            let cache = &mut self.cache;
            // A fold reads before it writes, so a panic leaves the cache as it was.
            let folded = catch_unwind(AssertUnwindSafe(|| view.fold(&seen, cache)));
            match folded {
                Ok(Ok(())) => return Ok(Ok(())),
                Ok(Err(FoldError::NotLoaded(key))) => self.load(std::slice::from_ref(&*key)).await?,
                Ok(Err(error)) => return Ok(Err(Causes(&error).to_string())),
                Err(_) => return Ok(Err("the fold panicked".to_owned())),
            }
        }
    }

    /// What has to be written, in order; empty when nothing is new. It counts as written from now on.
    async fn take_flushes(&mut self) -> Result<Vec<Flush>, LaneError> {
        let unloaded = self.cache.unloaded_totals();
        for keys in unloaded.chunks(MAX_SCAN) {
            let values = self.parts.store.get(&self.parts.at, keys).await?;
            for (key, value) in keys.iter().zip(values) {
                self.cache.load_total(key, value.as_deref())?;
            }
        }
        let drained = self.cache.drain()?;
        let is_still = drained.before.is_empty() && drained.rows.is_empty() && self.is_flushed();
        if is_still || self.place.position == 0 {
            return Ok(Vec::new());
        }
        let chunks = |rows: Vec<RowWrite>| {
            let mut rows = rows.into_iter().peekable();
            std::iter::from_fn(move || {
                rows.peek()?;
                Some(rows.by_ref().take(FLUSH_ROWS).collect::<Vec<_>>())
            })
        };
        let mut flushes: Vec<Flush> = chunks(drained.before)
            .map(|totals| Flush {
                totals,
                ..Flush::default()
            })
            .collect();
        for rows in chunks(drained.rows) {
            match flushes.last_mut() {
                Some(last) if last.rows.is_empty() => last.rows = rows,
                _ => flushes.push(Flush {
                    rows,
                    ..Flush::default()
                }),
            }
        }
        if flushes.is_empty() {
            flushes.push(Flush::default());
        }
        let watermarks = BTreeMap::from([(self.parts.shard, self.place)]);
        #[cfg(feature = "planted")]
        if vaultstream_kernel::planted::is_on(vaultstream_kernel::planted::Bug::MarkBeforeRows) {
            let first = Flush {
                watermarks: watermarks.clone(),
                ..Flush::default()
            };
            flushes.insert(0, first);
        }
        if let Some(last) = flushes.last_mut() {
            last.watermarks = watermarks;
        }
        Ok(flushes)
    }

    fn written(&mut self, mark: Mark) {
        self.flushed = Some(mark.place);
        self.parts
            .watermarks
            .advance(&self.parts.at, self.parts.shard, mark);
    }

    fn mark(&self) -> Mark {
        Mark {
            place: self.place,
            quarantined: self.parked.len(),
        }
    }

    /// Writes what waits, then the watermark, then tells readers; says how many rows it wrote.
    pub async fn flush(&mut self) -> Result<usize, LaneError> {
        let (flushes, mark, mut rows) = (self.take_flushes().await?, self.mark(), 0);
        for flush in flushes {
            rows += flush.totals.len() + flush.rows.len();
            self.parts.store.flush(&self.parts.at, flush).await?;
        }
        self.written(mark);
        self.cache.shrink(self.parts.cache_rows);
        Ok(rows)
    }

    /// Begins to write what waits, while folding goes on.
    pub async fn begin_flush(&mut self, spawn: &dyn Spawn) -> Result<Writing, LaneError> {
        let flushes = self.take_flushes().await?;
        let (store, at) = (Arc::clone(&self.parts.store), self.parts.at.clone());
        let (done, result) = oneshot::channel();
        let write = async move {
            let mut written = Ok(());
            for flush in flushes {
                written = store.flush(&at, flush).await;
                if written.is_err() {
                    break;
                }
            }
            // Whoever began this may have gone; then nobody wants to know.
            let _ = done.send(written);
        };
        spawn.spawn("view-flush", Box::pin(write));
        Ok(Writing {
            mark: self.mark(),
            result,
        })
    }

    /// Waits for what was begun. Rows may be forgotten only now.
    pub async fn end_flush(&mut self, writing: Writing) -> Result<(), LaneError> {
        let stopped = |_| ViewStoreError {
            doing: "write a flush",
            source: "its task has stopped".into(),
        };
        writing.result.await.map_err(stopped)??;
        self.written(writing.mark);
        self.cache.shrink(self.parts.cache_rows);
        Ok(())
    }
}

/// The position a row was folded to: every row holds it.
fn position_of(row: &[u8]) -> u64 {
    serde_json::from_slice::<IndexRow>(row).map_or(0, |row| row.pos)
}

/// A flush on its way.
pub struct Writing {
    mark: Mark,
    result: oneshot::Receiver<Result<(), ViewStoreError>>,
}
