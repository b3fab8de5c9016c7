//! The cache of one process: the newest answers, in memory.
//!
//! Bounded by bytes, keys included; what was not asked for longest goes first. Refuses nothing: a value that is too
//! large, or whose time is up, is a miss.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use vaultstream_domain::ports::cache::{MAX_KEY, MAX_VALUE};
use vaultstream_domain::ports::{Cache, Clock};

/// Bytes a cache holds unless told otherwise.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;
/// What an entry costs besides its key and value: links, lengths, times.
const OVERHEAD: usize = 128;

/// The cache.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    max_bytes: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    entries: LruCache<Box<str>, Entry>,
    bytes: usize,
}

struct Entry {
    value: Box<[u8]>,
    /// When it ends, in microseconds of the clock.
    until: i64,
}

impl MemoryCache {
    /// An empty cache that holds at most so many bytes.
    pub fn new(clock: Arc<dyn Clock>, max_bytes: usize) -> Self {
        let kept = Kept {
            entries: LruCache::unbounded(),
            bytes: 0,
        };
        Self {
            clock,
            max_bytes,
            kept: Mutex::new(kept),
        }
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, key: &str) {
        if let Some((key, entry)) = self.entries.pop_entry(key) {
            self.bytes -= cost(&key, &entry.value);
        }
    }

    fn shrink(&mut self, max_bytes: usize) {
        while self.bytes > max_bytes {
            let Some((key, entry)) = self.entries.pop_lru() else {
                return;
            };
            self.bytes -= cost(&key, &entry.value);
        }
    }
}

const fn cost(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + OVERHEAD
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let now = self.clock.now().as_micros();
        let mut kept = self.lock();
        let found = kept.entries.get(key)?;
        if found.until > now {
            return Some(found.value.to_vec());
        }
        kept.forget(key);
        None
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) {
        if key.len() > MAX_KEY || value.len() > MAX_VALUE || ttl.is_zero() {
            return;
        }
        let ttl = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let entry = Entry {
            value: value.into(),
            until: self.clock.now().as_micros().saturating_add(ttl),
        };
        let mut kept = self.lock();
        kept.forget(key);
        kept.bytes += cost(key, value);
        kept.entries.put(key.into(), entry);
        kept.shrink(self.max_bytes);
    }
}
