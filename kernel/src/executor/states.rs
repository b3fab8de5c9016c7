//! The states in memory: the newest the executor has decided on, a bounded number of them.
//!
//! An entry may be ahead of the log by what is in flight; then its stream is *dirty*. Entries are a cache: one that is
//! missing or wrong costs a load or a conflict, never a wrong event.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use vaultstream_domain::State;
use vaultstream_event_schemas::StreamId;
use vaultstream_event_schemas::envelope::Hash;

use crate::load::Loaded;

/// A stream as the executor knows it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) state: Arc<State>,
    pub(super) version: u64,
    pub(super) hash: Hash,
}

impl From<Loaded> for Known {
    fn from(loaded: Loaded) -> Self {
        Self {
            state: Arc::new(loaded.state),
            version: loaded.version,
            hash: loaded.hash,
        }
    }
}

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    known: LruCache<StreamId, Known>,
    dirty: HashMap<StreamId, usize>,
}

impl Cache {
    /// Keeps at most `states` states.
    pub(super) fn new(states: usize) -> Self {
        let bound = NonZeroUsize::new(states).unwrap_or(NonZeroUsize::MIN);
        Self {
            known: LruCache::new(bound),
            dirty: HashMap::new(),
        }
    }

    pub(super) fn contains(&self, stream: StreamId) -> bool {
        self.known.contains(&stream)
    }

    pub(super) fn get(&mut self, stream: StreamId) -> Option<&Known> {
        self.known.get(&stream)
    }

    pub(super) fn put(&mut self, stream: StreamId, known: Known) {
        self.known.put(stream, known);
    }

    pub(super) fn take(&mut self, stream: StreamId) -> Option<Known> {
        self.known.pop(&stream)
    }

    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }

    /// Whether something is in flight for the stream.
    pub(super) fn is_dirty(&self, stream: StreamId) -> bool {
        self.dirty.contains_key(&stream)
    }

    /// Notes that a write to the stream is on its way.
    pub(super) fn sent(&mut self, stream: StreamId) {
        *self.dirty.entry(stream).or_insert(0) += 1;
    }

    /// Notes that a write to the stream was answered.
    pub(super) fn settled(&mut self, stream: StreamId) {
        if let Some(writes) = self.dirty.get_mut(&stream) {
            *writes -= 1;
            if *writes == 0 {
                self.dirty.remove(&stream);
            }
        }
    }
}
