//! Rate limits: one bucket a credential, one an address for callers without one.
//!
//! The generic cell rate algorithm: a bucket is one number, the time at which it would be full again. The map of
//! buckets is bounded; a bucket that falls out begins anew, which favours the caller and never the memory.
//!
//! Where several processes share their limits, a bucket of this process is filled from a shared one, many tokens at a
//! time: a request rarely waits for the shared store, and what a process has taken and not used is lost to the caller
//! only until its next request here. One request of a caller asks the shared store and the others wait for what it
//! brings: a thousand that come at once would each take enough for all of them, and leave nothing.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use uuid::Uuid;
use vaultstream_domain::ports::RateLimits;
use vaultstream_domain::ports::rate_limits::{Rate, Verdict as SharedVerdict};
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

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(id) => write!(f, "credential/{id}"),
            Self::Address(Some(address)) => write!(f, "address/{address}"),
            Self::Address(None) => f.write_str("address/none"),
        }
    }
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
pub struct Limiter {
    quota: Quota,
    /// Time at which each bucket is full again, in microseconds.
    buckets: Mutex<LruCache<Caller, i64>>,
    shared: Option<Shared>,
}

/// Buckets that other processes share.
struct Shared {
    limits: Arc<dyn RateLimits>,
    callers: Mutex<LruCache<Caller, Arc<Prepaid>>>,
}

/// What this process has of a shared bucket.
#[derive(Default)]
struct Prepaid {
    /// Tokens taken and not used.
    tokens: AtomicU32,
    /// Whoever holds it asks the shared store; it says until when nothing is to be had, in microseconds.
    refused_until: tokio::sync::Mutex<i64>,
}

impl Prepaid {
    fn use_one(&self) -> bool {
        let less = |tokens: u32| tokens.checked_sub(1);
        self.tokens
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
            .is_ok()
    }
}

/// Which part of a burst is taken from a shared bucket at a time, and the most tokens.
const SHARE: u32 = 8;
const MAX_TAKEN: u32 = 256;

/// How many callers are remembered.
const MAX_CALLERS: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

impl Limiter {
    /// Buckets of one quota, all full.
    pub fn new(quota: Quota) -> Self {
        Self {
            quota,
            buckets: Mutex::new(LruCache::new(MAX_CALLERS)),
            shared: None,
        }
    }

    /// The same quota, shared with other processes.
    #[must_use]
    pub fn shared(mut self, limits: Arc<dyn RateLimits>) -> Self {
        self.shared = Some(Shared {
            limits,
            callers: Mutex::new(LruCache::new(MAX_CALLERS)),
        });
        self
    }

    /// The quota.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Takes one request out of the caller's bucket, here and where it is shared.
    pub async fn take(&self, caller: Caller, now: Timestamp) -> Verdict {
        let here = self.take_here(caller, now);
        match &self.shared {
            Some(shared) if here.allowed => {
                shared
                    .take(caller, self.quota, now)
                    .await
                    .map_or(here, |wait| Verdict {
                        allowed: false,
                        remaining: 0,
                        reset_seconds: wait,
                    })
            }
            _ => here,
        }
    }

    fn take_here(&self, caller: Caller, now: Timestamp) -> Verdict {
        let (now, step) = (
            now.as_micros(),
            1_000_000 / i64::from(self.quota.per_second.max(1)),
        );
        let depth = step.saturating_mul(i64::from(self.quota.burst.max(1)));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Never further away than a whole bucket: a clock that stepped back closes no door for long.
        let furthest = now.saturating_add(depth);
        let stored = buckets.get(&caller).copied().unwrap_or(now);
        let full_at = stored.clamp(now, furthest);
        let next = full_at.saturating_add(step);
        let excess = next.saturating_sub(now).saturating_sub(depth);
        if excess > 0 {
            if stored > furthest {
                buckets.put(caller, furthest);
            }
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

impl Shared {
    /// Uses one token; answers in how many seconds there is one when there is none.
    async fn take(&self, caller: Caller, quota: Quota, now: Timestamp) -> Option<u64> {
        let prepaid = Arc::clone(
            self.callers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(caller, Arc::default),
        );
        if prepaid.use_one() {
            return None;
        }
        let mut refused_until = prepaid.refused_until.lock().await;
        if prepaid.use_one() {
            return None;
        }
        let wait_us = refused_until.saturating_sub(now.as_micros());
        // Longer than a whole burst takes to come back was written before the clock was set back.
        let whole_us = 1_000_000 * i64::from(quota.burst.max(1)) / i64::from(quota.per_second.max(1));
        if wait_us > 0 && wait_us <= whole_us.max(1_000_000) {
            return Some(seconds(wait_us));
        }
        let taken = (quota.burst / SHARE).clamp(1, MAX_TAKEN);
        let rate = Rate {
            burst: quota.burst,
            per_second: quota.per_second,
        };
        match self.limits.take(&caller.to_string(), taken, rate).await {
            SharedVerdict::Go => {
                // Only whoever holds the turn adds, so nothing overflows.
                prepaid.tokens.fetch_add(taken - 1, Ordering::AcqRel);
                None
            }
            SharedVerdict::Wait(wait) => {
                let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX).max(1);
                *refused_until = now.as_micros().saturating_add(wait_us);
                Some(seconds(wait_us))
            }
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
    fn clock_that_steps_back_should_close_no_door_for_long() {
        let limiter = Limiter::new(Quota {
            per_second: 10,
            burst: 3,
        });
        let hour = 3_600_000;
        assert!(limiter.take_here(ANYONE, at(hour)).allowed);
        assert!(!limiter.take_here(ANYONE, at(0)).allowed, "nor does it open one");
        assert!(
            limiter.take_here(ANYONE, at(100)).allowed,
            "an hour has not to pass again"
        );
    }

    #[test]
    fn bucket_should_give_its_burst_and_refill_at_its_rate() {
        let limiter = Limiter::new(Quota {
            per_second: 10,
            burst: 3,
        });
        let remaining: Vec<_> = (0..3)
            .map(|_| limiter.take_here(ANYONE, at(0)).remaining)
            .collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limiter.take_here(ANYONE, at(0));
        assert!(!refused.allowed && refused.reset_seconds == 1);
        assert!(
            !limiter.take_here(ANYONE, at(99)).allowed,
            "a refusal does not push the refill away"
        );
        assert!(limiter.take_here(ANYONE, at(100)).allowed);
        assert!(!limiter.take_here(ANYONE, at(100)).allowed);
        assert_eq!(limiter.take_here(ANYONE, at(60_000)).remaining, 2);
    }

    #[test]
    fn callers_should_not_share_a_bucket() {
        let limiter = Limiter::new(Quota {
            per_second: 1,
            burst: 1,
        });
        let key = Caller::Credential(Uuid::from_u128(7));
        assert!(limiter.take_here(ANYONE, at(0)).allowed);
        assert!(limiter.take_here(key, at(0)).allowed);
        assert!(!limiter.take_here(key, at(0)).allowed);
        assert!(
            limiter
                .take_here(Caller::Address(Some([127, 0, 0, 1].into())), at(0))
                .allowed
        );
    }

    #[test]
    fn clock_that_steps_back_should_not_panic_or_open_the_gate() {
        let limiter = Limiter::new(Quota {
            per_second: 1,
            burst: 1,
        });
        assert!(limiter.take_here(ANYONE, at(10_000)).allowed);
        assert!(!limiter.take_here(ANYONE, at(0)).allowed);
    }

    /// A shared bucket without a refill.
    struct Fixed(Mutex<u32>);

    #[async_trait::async_trait]
    impl RateLimits for Fixed {
        async fn take(&self, _: &str, cost: u32, _: Rate) -> SharedVerdict {
            let mut left = self.0.lock().expect("never poisoned");
            match left.checked_sub(cost) {
                Some(rest) => {
                    *left = rest;
                    SharedVerdict::Go
                }
                None => SharedVerdict::Wait(std::time::Duration::from_millis(1_500)),
            }
        }
    }

    #[tokio::test]
    async fn processes_should_share_what_they_do_not_have_twice() {
        let quota = Quota {
            per_second: 1,
            burst: 16,
        };
        let limits = Arc::new(Fixed(Mutex::new(16)));
        let doors = [0, 1].map(|_| Limiter::new(quota).shared(limits.clone()));
        let mut allowed = 0;
        for n in 0..32 {
            let verdict = doors[n % 2].take(ANYONE, at(0)).await;
            allowed += u32::from(verdict.allowed);
            assert!(verdict.allowed || verdict.reset_seconds == 2, "{verdict:?}");
        }
        assert_eq!(allowed, 16, "two doors with one bucket let in as many as one");
    }

    #[tokio::test]
    async fn callers_that_come_at_once_should_take_no_more_than_they_use() {
        /// A shared bucket that answers late.
        struct Late(Fixed);
        #[async_trait::async_trait]
        impl RateLimits for Late {
            async fn take(&self, name: &str, cost: u32, rate: Rate) -> SharedVerdict {
                tokio::task::yield_now().await;
                self.0.take(name, cost, rate).await
            }
        }
        let quota = Quota {
            per_second: 1,
            burst: 80,
        };
        let limiter = Limiter::new(quota).shared(Arc::new(Late(Fixed(Mutex::new(80)))));
        let asked = (0..80).map(|_| limiter.take(ANYONE, at(0)));
        let allowed = futures::future::join_all(asked).await;
        assert_eq!(allowed.iter().filter(|verdict| verdict.allowed).count(), 80);
    }
}
