//! The rows a fold works on: a write-behind cache between pure folds and the store.
//!
//! A fold reads rows that were loaded before it ran, and writes without waiting. Writes coalesce by key until a flush
//! takes them. Three kinds of writes: *rows*, which folds read back; *entries* (indexes, feed), which they never read;
//! and *totals*, which are changed by differences and carry the position up to which they hold them. A row's position
//! says which events it has seen, so what follows from the row (entries, totals) is written before it.
//! Refuses to guess: a row that was not loaded is an error that names it, and the fold runs again once it is there.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use serde::Serialize;
use serde::de::DeserializeOwned;
use vaultstream_domain::ports::view_store::{RowKey, RowWrite};
use vaultstream_event_schemas::canonical::{self, CanonicalError};
use vaultstream_event_schemas::{Amount, Hlc};

use crate::rows::{Metric, TotalsRow};
use crate::tables::{self, key, n, t};
use crate::view::Seen;

/// Why an event could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A row the fold needs was not loaded; load it and fold again. No write was made.
    #[error("row {0:?} was not loaded")]
    NotLoaded(Box<RowKey>),
    /// A stored row cannot be read.
    #[error("a row of {table} cannot be read")]
    Damaged {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A row cannot be written.
    #[error("a row has no canonical form")]
    Unwritable(#[from] CanonicalError),
    /// The stream goes on but its beginning is not in the view.
    #[error("the view has no beginning of this stream")]
    NoBeginning,
}

/// What a row must be able to do.
pub trait Row: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Row for T {}

trait AnyRow: Send + Sync {
    fn encode(&self) -> Result<Vec<u8>, CanonicalError>;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Row> AnyRow for T {
    fn encode(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

enum Value {
    Absent,
    Bytes(Vec<u8>),
    Typed(Box<dyn AnyRow>),
}

struct Cached {
    value: Value,
    hlc: Hlc,
    dirty: bool,
    touched: u64,
}

struct Pending {
    value: Vec<u8>,
    hlc: Hlc,
    /// The store has nothing under this key yet.
    fresh: bool,
}

struct Total {
    row: TotalsRow,
    hlc: Hlc,
    dirty: bool,
    /// Differences up to this position are in the stored row already; none while that row was not loaded.
    base: Option<u64>,
    waiting: Vec<(u64, Hlc, Amount, Amount)>,
}

/// Everything a flush writes.
#[derive(Debug, Default)]
pub struct Drained {
    /// Partial totals and entries, which go first: a row that is written says that what follows from it is, too.
    pub before: Vec<RowWrite>,
    /// Rows, in key order.
    pub rows: Vec<RowWrite>,
}

/// The cache. One a view, generation and shard.
pub struct RowCache {
    rows: HashMap<RowKey, Cached>,
    entries: HashMap<RowKey, Pending>,
    totals: HashMap<RowKey, Total>,
    dirty: usize,
    tick: u64,
    /// Everything the store holds is here, so what is not here does not exist.
    complete: bool,
    /// The generation is being filled by this cache alone, so an entry that comes and goes need not be written.
    building: bool,
}

impl RowCache {
    /// For a generation that may hold rows.
    pub fn new() -> Self {
        Self {
            rows: HashMap::new(),
            entries: HashMap::new(),
            totals: HashMap::new(),
            dirty: 0,
            tick: 0,
            complete: false,
            building: false,
        }
    }

    /// For an empty generation that only this cache fills.
    pub fn building() -> Self {
        Self {
            complete: true,
            building: true,
            ..Self::new()
        }
    }

    /// Says that the generation is filled and others may have written to it.
    pub fn end_building(&mut self) {
        self.building = false;
        self.complete = false;
    }

    /// How many writes wait for a flush.
    pub fn pending(&self) -> usize {
        self.dirty + self.entries.len()
    }

    /// Whether every row the store holds is known.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a row is known, be it as absent.
    pub fn knows(&self, key: &RowKey) -> bool {
        self.complete || self.rows.contains_key(key)
    }

    /// Takes a row as the store has it. A row that is known already is newer and stays.
    pub fn load(&mut self, key: RowKey, value: Option<Vec<u8>>) {
        self.tick += 1;
        if let Slot::Vacant(slot) = self.rows.entry(key) {
            let value = value.map_or(Value::Absent, Value::Bytes);
            slot.insert(Cached {
                value,
                hlc: Hlc::default(),
                dirty: false,
                touched: self.tick,
            });
        }
    }

    /// The row under a key.
    pub fn get<T: Row>(&mut self, key: &RowKey) -> Result<Option<&T>, FoldError> {
        self.tick += 1;
        let tick = self.tick;
        let Some(cached) = self.rows.get_mut(key) else {
            return if self.complete {
                Ok(None)
            } else {
                Err(FoldError::NotLoaded(Box::new(key.clone())))
            };
        };
        cached.touched = tick;
        if let Value::Bytes(bytes) = &cached.value {
            let row: T = serde_json::from_slice(bytes).map_err(|source| FoldError::Damaged {
                table: key.table,
                source,
            })?;
            cached.value = Value::Typed(Box::new(row));
        }
        match &cached.value {
            Value::Typed(row) => Ok(row.as_ref().as_any().downcast_ref::<T>()),
            Value::Absent | Value::Bytes(_) => Ok(None),
        }
    }

    /// Writes a row that folds read back.
    pub fn put<T: Row>(&mut self, key: RowKey, row: T, hlc: Hlc) {
        self.set(key, Value::Typed(Box::new(row)), hlc);
    }

    /// Removes a row that folds read back.
    pub fn remove(&mut self, key: RowKey, hlc: Hlc) {
        self.set(key, Value::Absent, hlc);
    }

    fn set(&mut self, key: RowKey, value: Value, hlc: Hlc) {
        self.tick += 1;
        let fresh = Cached {
            value,
            hlc,
            dirty: true,
            touched: self.tick,
        };
        let was_dirty = self.rows.insert(key, fresh).is_some_and(|old| old.dirty);
        self.dirty += usize::from(!was_dirty);
    }

    /// Writes an entry that folds never read.
    pub fn put_entry<T: Row>(&mut self, key: RowKey, row: &T, hlc: Hlc) -> Result<(), FoldError> {
        self.entry(key, row, hlc, false)
    }

    /// Writes an entry that is not there, as the fold knows from its row.
    pub fn add_entry<T: Row>(&mut self, key: RowKey, row: &T, hlc: Hlc) -> Result<(), FoldError> {
        self.entry(key, row, hlc, true)
    }

    fn entry<T: Row>(&mut self, key: RowKey, row: &T, hlc: Hlc, is_new: bool) -> Result<(), FoldError> {
        let value = canonical::to_bytes(row)?;
        match self.entries.entry(key) {
            Slot::Occupied(mut slot) => {
                let fresh = slot.get().fresh;
                slot.insert(Pending { value, hlc, fresh });
            }
            Slot::Vacant(slot) => {
                slot.insert(Pending {
                    value,
                    hlc,
                    fresh: is_new,
                });
            }
        }
        Ok(())
    }

    /// Removes an entry that is there.
    pub fn remove_entry(&mut self, key: RowKey, hlc: Hlc) {
        match self.entries.entry(key) {
            Slot::Occupied(slot) if slot.get().fresh && self.building => {
                slot.remove();
            }
            Slot::Occupied(mut slot) => {
                slot.insert(Pending {
                    value: Vec::new(),
                    hlc,
                    fresh: false,
                });
            }
            Slot::Vacant(slot) => {
                slot.insert(Pending {
                    value: Vec::new(),
                    hlc,
                    fresh: false,
                });
            }
        }
    }

    /// Changes a total of the event's tenant by `add` − `sub`.
    pub fn total(&mut self, seen: &Seen<'_>, metric: Metric, label: &str, (add, sub): (Amount, Amount)) {
        let (organization, shard) = (seen.organization(), u64::from(seen.shard().0));
        let clustering = [t(metric.as_str()), t(label), n(shard), t(seen.origin)];
        let key = key(&tables::TOTALS, [t(organization)], clustering);
        let base = self.complete.then_some(0);
        let total = self.totals.entry(key).or_insert_with(|| Total {
            row: TotalsRow {
                count: Amount::ZERO,
                label: label.to_owned(),
                metric,
                organization_id: organization,
                pos: 0,
            },
            hlc: Hlc::default(),
            dirty: false,
            base,
            waiting: Vec::new(),
        });
        self.dirty += usize::from(!total.dirty && total.waiting.is_empty());
        total.waiting.push((seen.pos(), seen.hlc(), add, sub));
        total.settle();
    }

    /// Totals that were touched and are not loaded.
    pub fn unloaded_totals(&self) -> Vec<RowKey> {
        self.totals
            .iter()
            .filter(|(_, total)| total.base.is_none())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Takes a total as the store has it.
    pub fn load_total(&mut self, key: &RowKey, value: Option<&[u8]>) -> Result<(), FoldError> {
        if let Some(total) = self.totals.get_mut(key).filter(|total| total.base.is_none()) {
            if let Some(bytes) = value {
                total.row = serde_json::from_slice(bytes).map_err(|source| FoldError::Damaged {
                    table: key.table,
                    source,
                })?;
            }
            total.base = Some(total.row.pos);
            total.settle();
            self.dirty = self.dirty.saturating_sub(usize::from(!total.dirty));
        }
        Ok(())
    }

    /// Everything that waits to be written; it counts as written from now on. Totals must be loaded.
    pub fn drain(&mut self) -> Result<Drained, FoldError> {
        let mut drained = Drained::default();
        for (key, total) in self.totals.iter_mut().filter(|(_, total)| total.dirty) {
            let value = canonical::to_bytes(&total.row)?;
            drained.before.push(RowWrite {
                key: key.clone(),
                value,
                hlc: total.hlc,
            });
            total.dirty = false;
        }
        for (key, cached) in self.rows.iter_mut().filter(|(_, cached)| cached.dirty) {
            let value = match &cached.value {
                Value::Absent => Vec::new(),
                Value::Bytes(bytes) => bytes.clone(),
                Value::Typed(row) => row.encode()?,
            };
            drained.rows.push(RowWrite {
                key: key.clone(),
                value,
                hlc: cached.hlc,
            });
            cached.dirty = false;
        }
        let entries = self.entries.drain();
        drained.before.extend(entries.map(|(key, e)| RowWrite {
            key,
            value: e.value,
            hlc: e.hlc,
        }));
        self.dirty = 0;
        drained.before.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        drained.rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(drained)
    }

    /// Forgets everything that is written, so that it is read from the store again.
    pub fn forget(&mut self) {
        self.rows.retain(|_, cached| cached.dirty);
        self.forget_totals();
        self.complete = false;
    }

    /// Whether any total is known as the store had it.
    pub fn knows_totals(&self) -> bool {
        !self.complete && self.totals.values().any(|total| total.base.is_some())
    }

    /// Forgets totals that are written, so that they are read from the store again.
    pub fn forget_totals(&mut self) {
        self.totals
            .retain(|_, total| total.dirty || !total.waiting.is_empty());
    }

    /// Forgets rows that were not touched for longest when there are more than `cap`. Only what is written may be
    /// forgotten, so this comes after a flush.
    pub fn shrink(&mut self, cap: usize) {
        if self.rows.len() > cap {
            let mut ages: Vec<u64> = self.rows.values().map(|cached| cached.touched).collect();
            let oldest_kept = (ages.len() - cap / 2).min(ages.len() - 1);
            let (_, cutoff, _) = ages.select_nth_unstable(oldest_kept);
            let cutoff = *cutoff;
            self.rows
                .retain(|_, cached| cached.dirty || cached.touched >= cutoff);
            self.complete = false;
        }
        if self.totals.len() > cap {
            self.totals
                .retain(|_, total| total.dirty || !total.waiting.is_empty());
            self.complete = false;
        }
    }
}

impl Default for RowCache {
    fn default() -> Self {
        Self::new()
    }
}

impl Total {
    /// Applies what waits, once it is known what the stored row holds.
    fn settle(&mut self) {
        let Some(base) = self.base else { return };
        for (pos, hlc, add, sub) in self.waiting.drain(..).filter(|(pos, ..)| *pos > base) {
            self.row.count = self.row.count.wrapping_add(add).wrapping_sub(sub);
            self.row.pos = pos;
            self.hlc = hlc;
            self.dirty = true;
        }
    }
}
