//! The contracts on a real Redis, and what only a shared one can show.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use vaultstream_domain::ports::conformance::{cache, rate_limits};
use vaultstream_domain::ports::rate_limits::{Rate, Verdict};
use vaultstream_domain::ports::{Cache, RateLimits};
use vaultstream_engines::Redis;
use vaultstream_infra_redis::{Link, OpenError, RedisCache, RedisOptions, RedisRateLimits};
use vaultstream_infra_runtime::{MemoryRateLimits, SystemClock};

/// A prefix that no other test uses.
fn prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("contract-{}-{n}:", std::process::id())
}

fn link(prefix: &str) -> Arc<Link> {
    let options = RedisOptions::new(Redis::shared().url(), prefix);
    Arc::new(Link::try_new(&options).expect("the settings are good"))
}

fn limits(prefix: &str) -> RedisRateLimits {
    let local = Arc::new(MemoryRateLimits::new(Arc::new(SystemClock)));
    RedisRateLimits::new(link(prefix), local)
}

struct Real;

#[async_trait]
impl cache::Harness for Real {
    type Cache = RedisCache;
    async fn fresh(&self) -> RedisCache {
        RedisCache::new(link(&prefix()))
    }
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[async_trait]
impl rate_limits::Harness for Real {
    type Limits = RedisRateLimits;
    async fn fresh(&self) -> RedisRateLimits {
        limits(&prefix())
    }
    async fn pass(&self, time: Duration) {
        // Redis has a clock of its own, and a verdict a way to go.
        tokio::time::sleep(time + Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cache_should_keep_the_contract() {
    cache::suite(&Real).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_rate_limits_should_keep_the_contract() {
    rate_limits::suite(&Real).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_should_share_buckets_and_values() {
    let prefix = prefix();
    let nodes: Vec<_> = (0..4).map(|_| limits(&prefix)).collect();
    let rate = Rate {
        burst: 20,
        per_second: 1,
    };
    // The first command of a connection makes it.
    join_all(nodes.iter().map(|node| node.take("warm", 0, rate))).await;
    let takes = (0..100).map(|i| nodes[i % nodes.len()].take("all", 1, rate));
    let verdicts = join_all(takes).await;
    assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Go).count(), 20);
    assert_eq!(nodes.iter().map(RedisRateLimits::locally).sum::<u64>(), 0);
    let (one, other) = (RedisCache::new(link(&prefix)), RedisCache::new(link(&prefix)));
    one.put("k", b"v", Duration::from_secs(60)).await;
    assert_eq!(other.get("k").await.as_deref(), Some(&b"v"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefixes_should_keep_clusters_apart() {
    let (one, other) = (prefix(), prefix());
    let ttl = Duration::from_secs(60);
    RedisCache::new(link(&one)).put("k", b"v", ttl).await;
    assert_eq!(RedisCache::new(link(&other)).get("k").await, None);
    let rate = Rate {
        burst: 1,
        per_second: 1,
    };
    assert_eq!(limits(&one).take("b", 1, rate).await, Verdict::Go);
    assert_eq!(limits(&other).take("b", 1, rate).await, Verdict::Go);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_should_go_away_once_they_are_full() {
    let prefix = prefix();
    let rate = Rate {
        burst: 10,
        per_second: 100,
    };
    limits(&prefix).take("bucket", 10, rate).await;
    let client = redis::Client::open(Redis::shared().url()).expect("an address");
    let mut redis = client.get_multiplexed_async_connection().await.expect("connects");
    let key = format!("{prefix}r:bucket");
    let left: i64 = redis::cmd("PTTL")
        .arg(&key)
        .query_async(&mut redis)
        .await
        .expect("answers");
    assert!(
        (0..=1_200).contains(&left),
        "{left} ms: the time to be full and a second"
    );
}

#[test]
fn bad_settings_should_be_refused_by_name() {
    let good = RedisOptions::new("redis://127.0.0.1:1/", "p:");
    Link::try_new(&good).expect("an unreachable engine is no error");
    let secret = RedisOptions {
        url: "http://user:hunter2@host/".into(),
        ..good.clone()
    };
    let refused = Link::try_new(&secret).err().expect("no address of Redis");
    assert!(matches!(refused, OpenError::Address(_)));
    assert!(!format!("{refused:?} {refused} {secret:?}").contains("hunter2"));
    let fields = [
        RedisOptions {
            prefix: "a b".into(),
            ..good.clone()
        },
        RedisOptions {
            timeout: Duration::from_millis(51),
            ..good.clone()
        },
        RedisOptions {
            timeout: Duration::ZERO,
            ..good.clone()
        },
        RedisOptions {
            pause: Duration::ZERO,
            ..good
        },
    ]
    .map(|options| match Link::try_new(&options) {
        Err(OpenError::Setting { field, .. }) => field,
        other => panic!("{:?}", other.err()),
    });
    assert_eq!(fields, ["prefix", "timeout", "timeout", "pause"]);
}
