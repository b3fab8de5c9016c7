//! Redis killed, paused, emptied, full or locked: answers get slower or limits looser, and nothing fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vaultstream_domain::ports::rate_limits::{Rate, Verdict};
use vaultstream_domain::ports::{Cache, RateLimits};
use vaultstream_engines::Redis;
use vaultstream_infra_redis::{Link, OpenError, RedisCache, RedisOptions, RedisRateLimits};
use vaultstream_infra_runtime::{MemoryRateLimits, SystemClock};

const TTL: Duration = Duration::from_secs(60);
const RATE: Rate = Rate {
    burst: 5,
    per_second: 1,
};

struct Node {
    link: Arc<Link>,
    cache: RedisCache,
    limits: RedisRateLimits,
}

impl Node {
    fn on(url: &str) -> Self {
        let options = RedisOptions::new(url, "faults:");
        let link = Arc::new(Link::try_new(&options).expect("the settings are good"));
        let local = Arc::new(MemoryRateLimits::new(Arc::new(SystemClock)));
        Self {
            cache: RedisCache::new(link.clone()),
            limits: RedisRateLimits::new(link.clone(), local),
            link,
        }
    }

    /// Waits until it is answered again.
    async fn back(&self) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            self.cache.get("anything").await;
            if self.link.is_up() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis is back, and nobody noticed");
    }

    /// Asks for a second without pause; answers how many asked, and how many of them were let through to wait for Redis.
    async fn ask_for_a_second(&self) -> (u64, u64) {
        let (mut asked, skipped) = (0, self.link.counts().skipped);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            let one = Instant::now();
            assert_eq!(self.cache.get("kept").await, None, "gone is a miss");
            let took = one.elapsed();
            assert!(took < Duration::from_millis(120), "{took:?} for a miss");
            asked += 1;
            tokio::task::yield_now().await;
        }
        (asked, asked - (self.link.counts().skipped - skipped))
    }

    /// Counts alone: the burst and no more.
    async fn counts_alone(&self, bucket: &str) {
        let before = self.limits.locally();
        let mut through = 0;
        for _ in 0..10 {
            through += u32::from(self.limits.take(bucket, 1, RATE).await == Verdict::Go);
        }
        assert_eq!(through, RATE.burst);
        assert_eq!(self.limits.locally() - before, 10, "and says so");
    }
}

async fn redis() -> Redis {
    tokio::task::spawn_blocking(Redis::start)
        .await
        .expect("starts")
        .expect("redis starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_redis_should_be_a_miss_and_come_back_by_itself() {
    let redis = redis().await;
    let node = Node::on(&redis.url());
    node.cache.put("kept", b"v", TTL).await;
    assert_eq!(node.cache.get("kept").await.as_deref(), Some(&b"v"[..]));
    redis.kill().expect("killed");
    let (asked, waited) = node.ask_for_a_second().await;
    println!("killed: {asked} misses a second, {waited} of them asked redis");
    assert!(asked > 1_000 && waited <= 1, "{asked} asked, {waited} waited");
    node.counts_alone("a").await;
    redis.restart().expect("restarted");
    node.back().await;
    node.cache.put("kept", b"w", TTL).await;
    assert_eq!(node.cache.get("kept").await.as_deref(), Some(&b"w"[..]));
    let before = node.limits.locally();
    assert_eq!(node.limits.take("b", 5, RATE).await, Verdict::Go);
    assert!(matches!(node.limits.take("b", 1, RATE).await, Verdict::Wait(_)));
    assert_eq!(node.limits.locally(), before, "the script is loaded anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_redis_should_cost_one_wait() {
    let redis = redis().await;
    let node = Node::on(&redis.url());
    node.cache.put("other", b"v", TTL).await;
    assert!(node.link.is_up());
    redis.pause().expect("paused");
    let (asked, waited) = node.ask_for_a_second().await;
    println!("paused: {asked} misses a second, {waited} of them asked redis");
    assert!(asked > 1_000 && waited == 1, "{asked} asked, {waited} waited");
    node.counts_alone("c").await;
    redis.resume().expect("resumed");
    node.back().await;
    assert_eq!(node.cache.get("other").await.as_deref(), Some(&b"v"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_under_way_when_redis_dies_should_end_in_time() {
    let redis = redis().await;
    let node = Arc::new(Node::on(&redis.url()));
    node.cache.put("kept", &vec![7; 100_000], TTL).await;
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                let mut longest = Duration::ZERO;
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(2) {
                    let one = Instant::now();
                    node.cache.get("kept").await;
                    node.limits.take("d", 1, RATE).await;
                    longest = longest.max(one.elapsed());
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                longest
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.kill().expect("killed");
    for caller in callers {
        let longest = caller.await.expect("no caller fell");
        assert!(
            longest < Duration::from_millis(300),
            "{longest:?} for two commands"
        );
    }
    assert!(!node.link.is_up());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emptied_redis_should_be_misses_and_full_buckets() {
    let redis = redis().await;
    let node = Node::on(&redis.url());
    node.back().await;
    node.cache.put("kept", b"v", TTL).await;
    assert_eq!(node.limits.take("e", 5, RATE).await, Verdict::Go);
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut plain = client.get_multiplexed_async_connection().await.expect("connects");
    for command in ["FLUSHALL", "SCRIPT FLUSH"] {
        let mut words = command.split(' ');
        let mut flush = redis::cmd(words.next().expect("a word"));
        words.for_each(|word| {
            flush.arg(word);
        });
        flush.query_async::<()>(&mut plain).await.expect("emptied");
    }
    assert_eq!(node.cache.get("kept").await, None);
    assert_eq!(node.limits.take("e", 5, RATE).await, Verdict::Go, "full again");
    assert_eq!(node.limits.locally(), 0, "and still counted together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_refuses_should_be_as_good_as_none() {
    let redis = redis().await;
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut plain = client.get_multiplexed_async_connection().await.expect("connects");
    let mut lock = redis::cmd("CONFIG");
    lock.arg("SET").arg("requirepass").arg("hunter2");
    lock.query_async::<()>(&mut plain).await.expect("locked");
    let node = Node::on(&redis.url());
    node.cache.put("kept", b"v", TTL).await;
    assert_eq!(node.cache.get("kept").await, None);
    node.counts_alone("f").await;
    let mut options = RedisOptions::new(redis.url(), "faults:");
    options.source = "redis.url = env:REDIS_URL".to_owned();
    let wrong = redis.url().replace("redis://", "redis://:hunter3@");
    for url in [redis.url(), wrong] {
        let options = RedisOptions {
            url,
            ..options.clone()
        };
        let link = Link::try_new(&options).expect("the settings are good");
        let refused = link.check().await.expect_err("no or a wrong password");
        assert!(matches!(refused, OpenError::Credentials { .. }), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains("env:REDIS_URL") && !text.contains("hunter3"),
            "{text}"
        );
    }
    let known = redis.url().replace("redis://", "redis://:hunter2@");
    let node = Node::on(&known);
    node.link.check().await.expect("let in, and new enough");
    node.cache.put("kept", b"v", TTL).await;
    assert_eq!(node.cache.get("kept").await.as_deref(), Some(&b"v"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_redis_should_lose_values_and_nothing_else() {
    let start = || Redis::with(&[("maxmemory", "3mb"), ("maxmemory-policy", "allkeys-lru")]);
    let redis = tokio::task::spawn_blocking(start)
        .await
        .expect("starts")
        .expect("redis starts");
    let node = Node::on(&redis.url());
    // On a busy machine one of two hundred may come too late; a refusal for want of memory would come every time.
    for n in 0..200 {
        let mut tries = 0;
        loop {
            let failed = node.link.counts().failed;
            node.cache.put(&format!("n{n}"), &vec![1; 50_000], TTL).await;
            if node.link.counts().failed == failed {
                break;
            }
            tries += 1;
            assert!(tries < 10, "an eviction is no failure");
            node.back().await;
        }
    }
    node.back().await;
    assert_eq!(node.cache.get("n199").await.map(|v| v.len()), Some(50_000));
    assert_eq!(node.cache.get("n0").await, None);
}
