//! Rate limits: one bucket a credential, one an address for callers without one.
//!
//! The generic cell rate algorithm: a bucket is one number, the time at which it would be full again. The map of
//! buckets is bounded; a bucket that falls out begins anew, which favours the caller and never the memory.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use uuid::Uuid;
use vaultstream_event_schemas::Timestamp;

/// How much one caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests a second, for ever.
    pub per_second: u32,
    /// Requests at once after a pause.
    pub burst: u32,
}

/// Whose bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A key or a session.
    Credential(Uuid),
    /// An address without a valid credential; `None` when the connection has none (a test, a pipe).
    Address(Option<IpAddr>),
}

/// What a bucket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go on.
    pub allowed: bool,
    /// How many more may follow at once.
    pub remaining: u32,
    /// In how many seconds the bucket is full, or when refused, takes one more.
    pub reset_seconds: u64,
}

/// All buckets of a kind.
#[derive(Debug)]
pub struct Limiter {
    quota: Quota,
    /// Time at which each bucket is full again, in microseconds.
    buckets: Mutex<LruCache<Caller, i64>>,
}

/// How many callers are remembered.
const MAX_CALLERS: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

impl Limiter {
    /// Buckets of one quota, all full.
    pub fn new(quota: Quota) -> Self {
        Self {
            quota,
            buckets: Mutex::new(LruCache::new(MAX_CALLERS)),
        }
    }

    /// The quota.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Takes one request out of the caller's bucket, if it has one.
    pub fn take(&self, caller: Caller, now: Timestamp) -> Verdict {
        let (now, step) = (
            now.as_micros(),
            1_000_000 / i64::from(self.quota.per_second.max(1)),
        );
        let depth = step.saturating_mul(i64::from(self.quota.burst.max(1)));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(&caller).copied().unwrap_or(now).max(now);
        let next = full_at.saturating_add(step);
        let excess = next.saturating_sub(now).saturating_sub(depth);
        if excess > 0 {
            return Verdict {
                allowed: false,
                remaining: 0,
                reset_seconds: seconds(excess),
            };
        }
        buckets.put(caller, next);
        let left = depth.saturating_sub(next.saturating_sub(now)) / step.max(1);
        Verdict {
            allowed: true,
            remaining: u32::try_from(left).unwrap_or(0),
            reset_seconds: seconds(next - now),
        }
    }
}

fn seconds(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYONE: Caller = Caller::Address(None);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + ms * 1000)
    }

    #[test]
    fn bucket_should_give_its_burst_and_refill_at_its_rate() {
        let limiter = Limiter::new(Quota {
            per_second: 10,
            burst: 3,
        });
        let remaining: Vec<_> = (0..3).map(|_| limiter.take(ANYONE, at(0)).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limiter.take(ANYONE, at(0));
        assert!(!refused.allowed && refused.reset_seconds == 1);
        assert!(
            !limiter.take(ANYONE, at(99)).allowed,
            "a refusal does not push the refill away"
        );
        assert!(limiter.take(ANYONE, at(100)).allowed);
        assert!(!limiter.take(ANYONE, at(100)).allowed);
        assert_eq!(limiter.take(ANYONE, at(60_000)).remaining, 2);
    }

    #[test]
    fn callers_should_not_share_a_bucket() {
        let limiter = Limiter::new(Quota {
            per_second: 1,
            burst: 1,
        });
        let key = Caller::Credential(Uuid::from_u128(7));
        assert!(limiter.take(ANYONE, at(0)).allowed);
        assert!(limiter.take(key, at(0)).allowed);
        assert!(!limiter.take(key, at(0)).allowed);
        assert!(
            limiter
                .take(Caller::Address(Some([127, 0, 0, 1].into())), at(0))
                .allowed
        );
    }

    #[test]
    fn clock_that_steps_back_should_not_panic_or_open_the_gate() {
        let limiter = Limiter::new(Quota {
            per_second: 1,
            burst: 1,
        });
        assert!(limiter.take(ANYONE, at(10_000)).allowed);
        assert!(!limiter.take(ANYONE, at(0)).allowed);
    }
}
