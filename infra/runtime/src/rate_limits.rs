//! The rate limits of one process: token buckets in memory.
//!
//! The generic cell rate algorithm: a bucket is one number, the time at which it is full again. The map of buckets is
//! bounded; a bucket that falls out begins anew, which favours the caller and never the memory. Other processes count
//! for themselves, so limits across several are looser by their number.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use vaultstream_domain::ports::rate_limits::{MAX_NAME, Rate, Verdict};
use vaultstream_domain::ports::{Clock, RateLimits};

/// Buckets that are remembered.
const MAX_BUCKETS: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");

/// The limits.
pub struct MemoryRateLimits {
    clock: Arc<dyn Clock>,
    /// When each bucket is full again, in microseconds of the clock.
    full_at: Mutex<LruCache<Box<str>, i64>>,
}

impl MemoryRateLimits {
    /// No bucket was touched yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            full_at: Mutex::new(LruCache::new(MAX_BUCKETS)),
        }
    }
}

#[async_trait]
impl RateLimits for MemoryRateLimits {
    async fn take(&self, name: &str, cost: u32, rate: Rate) -> Verdict {
        let name: Box<str> = name.chars().take(MAX_NAME).collect();
        let (depth, cost) = (rate.depth_us(), rate.cost_us(cost));
        let now = self.clock.now().as_micros();
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Never further away than a whole bucket: a clock that stepped back closes no door for long.
        let furthest = now.saturating_add(depth);
        let stored = buckets.get(&name).copied().unwrap_or(now);
        let full_at = stored.clamp(now, furthest);
        let next = full_at.saturating_add(cost);
        let over = next.saturating_sub(furthest);
        if over > 0 {
            if stored > furthest {
                buckets.put(name, furthest);
            }
            return Verdict::Wait(Duration::from_micros(over.unsigned_abs()));
        }
        if cost > 0 {
            buckets.put(name, next);
        }
        Verdict::Go
    }
}
