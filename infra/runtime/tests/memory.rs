//! Memory as cache and rate limits: the contracts under a clock that tests move, and the bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::conformance::{cache, rate_limits};
use vaultstream_domain::ports::rate_limits::{Rate, Verdict};
use vaultstream_domain::ports::{Cache, Clock, RateLimits};
use vaultstream_event_schemas::Timestamp;
use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, MemoryRateLimits};

/// A clock that stands still until it is moved.
struct Hand(AtomicI64);

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
    async fn sleep_ms(&self, _: u64) {}
}

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_000_000_000_000)))
    }
    fn step(&self, us: i64) {
        self.0.fetch_add(us, Ordering::SeqCst);
    }
}

struct Memory(Arc<Hand>);

impl Memory {
    fn pass(&self, time: Duration) {
        self.0.step(i64::try_from(time.as_micros()).expect("short"));
    }
}

#[async_trait]
impl cache::Harness for Memory {
    type Cache = MemoryCache;
    async fn fresh(&self) -> MemoryCache {
        MemoryCache::new(self.0.clone(), DEFAULT_CACHE_BYTES)
    }
    async fn pass(&self, time: Duration) {
        Memory::pass(self, time);
    }
}

#[async_trait]
impl rate_limits::Harness for Memory {
    type Limits = MemoryRateLimits;
    async fn fresh(&self) -> MemoryRateLimits {
        MemoryRateLimits::new(self.0.clone())
    }
    async fn pass(&self, time: Duration) {
        Memory::pass(self, time);
    }
}

#[tokio::test]
async fn memory_cache_should_keep_the_contract() {
    cache::suite(&Memory(Hand::new())).await;
}

#[tokio::test]
async fn memory_rate_limits_should_keep_the_contract() {
    rate_limits::suite(&Memory(Hand::new())).await;
}

#[tokio::test]
async fn cache_should_stay_within_its_bytes_and_keep_what_is_asked_for() {
    let (max, ttl) = (100_000, Duration::from_secs(60));
    let cache = MemoryCache::new(Hand::new(), max);
    cache.put("asked for", &[1; 1_000], ttl).await;
    for n in 0..1_000 {
        cache.put(&format!("passing {n}"), &[2; 1_000], ttl).await;
        assert!(cache.bytes() <= max, "{} bytes after {n}", cache.bytes());
        assert!(cache.get("asked for").await.is_some(), "asked for after {n}");
    }
    assert_eq!(cache.get("passing 0").await, None, "what nobody asked for went");
    assert!(cache.bytes() > max / 2, "and not everything");
    for n in 0..1_000 {
        cache.put("asked for", &vec![3; n], ttl).await;
    }
    assert!(cache.bytes() <= max, "writing again costs once");
    cache.put("larger than all", &vec![0; max], ttl).await;
    assert_eq!(cache.bytes(), 0, "what cannot be held is not held");
}

#[tokio::test]
async fn clock_that_steps_back_should_close_no_bucket_for_long() {
    let hand = Hand::new();
    let limits = MemoryRateLimits::new(hand.clone());
    let rate = Rate {
        burst: 2,
        per_second: 1,
    };
    assert_eq!(limits.take("a", 2, rate).await, Verdict::Go);
    hand.step(-3_600_000_000);
    assert_eq!(
        limits.take("a", 1, rate).await,
        Verdict::Wait(Duration::from_secs(1)),
        "no more than a whole bucket away"
    );
    hand.step(1_000_000);
    assert_eq!(limits.take("a", 1, rate).await, Verdict::Go);
}
