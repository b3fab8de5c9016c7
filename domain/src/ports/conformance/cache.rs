//! The contract of a cache as code.
//!
//! Only answers of a cache that is reachable are asked for here; what an unreachable one does is its adapter's test.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::Cache;
use crate::ports::cache::{MAX_KEY, MAX_VALUE};

/// Makes caches of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Cache: Cache;
    /// A new one without any of the suite's keys.
    async fn fresh(&self) -> Self::Cache;
    /// Lets time pass for it.
    async fn pass(&self, time: Duration);
}

const LONG: Duration = Duration::from_secs(300);

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    let cache = harness.fresh().await;
    values_should_come_back_as_they_were(&cache).await;
    sizes_should_be_bounded(&cache).await;
    values_should_expire(&cache, harness).await;
    keys_should_not_meet(&cache).await;
}

async fn values_should_come_back_as_they_were(cache: &impl Cache) {
    assert_eq!(cache.get("never put").await, None);
    let every_byte: Vec<u8> = (0..=255).collect();
    for value in [every_byte.as_slice(), b"", b"\r\n$-1\r\n", "\u{1f512}".as_bytes()] {
        cache.put("value", value, LONG).await;
        assert_eq!(
            cache.get("value").await.as_deref(),
            Some(value),
            "empty is no miss, and no byte is special"
        );
    }
}

async fn sizes_should_be_bounded(cache: &impl Cache) {
    let (largest, longest) = (vec![7; MAX_VALUE], "k".repeat(MAX_KEY));
    cache.put(&longest, &largest, LONG).await;
    assert_eq!(cache.get(&longest).await, Some(largest));
    cache.put("too large", &vec![7; MAX_VALUE + 1], LONG).await;
    assert_eq!(cache.get("too large").await, None);
    let too_long = "k".repeat(MAX_KEY + 1);
    cache.put(&too_long, b"x", LONG).await;
    assert_eq!(cache.get(&too_long).await, None);
}

async fn values_should_expire(cache: &impl Cache, harness: &impl Harness) {
    cache.put("never kept", b"x", Duration::ZERO).await;
    assert_eq!(cache.get("never kept").await, None);
    cache.put("short", b"x", Duration::from_millis(200)).await;
    cache.put("renewed", b"old", Duration::from_millis(200)).await;
    cache.put("renewed", b"new", LONG).await;
    cache.put("long", b"x", LONG).await;
    assert_eq!(cache.get("short").await.as_deref(), Some(&b"x"[..]));
    harness.pass(Duration::from_millis(300)).await;
    assert_eq!(cache.get("short").await, None);
    assert_eq!(
        cache.get("renewed").await.as_deref(),
        Some(&b"new"[..]),
        "the newer time to live counts"
    );
    assert_eq!(cache.get("long").await.as_deref(), Some(&b"x"[..]));
}

async fn keys_should_not_meet(cache: &impl Cache) {
    let keys = ["a b", "a\r\nb", "a\0b", "A b", "ä", "", "a:b", "*", "{a}b"];
    for key in keys {
        cache.put(key, key.as_bytes(), LONG).await;
    }
    for key in keys {
        assert_eq!(cache.get(key).await.as_deref(), Some(key.as_bytes()), "{key:?}");
    }
}
