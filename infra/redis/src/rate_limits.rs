//! Shared rate limits on Redis: one script a take, by the clock of Redis.
//!
//! The generic cell rate algorithm, as in the process's own memory: a key is the time at which its bucket is full again,
//! and goes away by itself when that time has come. Without Redis each process counts for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use vaultstream_domain::ports::RateLimits;
use vaultstream_domain::ports::rate_limits::{MAX_NAME, Rate, Verdict};

use crate::Link;

/// KEYS: the bucket. ARGV: microseconds of a whole bucket, and of this cost. Answers microseconds to wait, 0 for go.
/// Numbers stay below 2^53, which Lua counts exactly. A key lives a second longer than it counts.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local furthest = now + tonumber(ARGV[1])
local stored = tonumber(redis.call('GET', KEYS[1])) or now
local full_at = math.min(math.max(stored, now), furthest)
local next = full_at + tonumber(ARGV[2])
local over = next - furthest
local keep = next
if over > 0 then
  if stored <= furthest then return over end
  keep = furthest
else
  over = 0
end
if keep > now then
  redis.call('SET', KEYS[1], string.format('%.0f', keep), 'PX', math.ceil((keep - now) / 1000) + 1000)
end
return over
";

/// The limits.
pub struct RedisRateLimits {
    link: Arc<Link>,
    take: Script,
    local: Arc<dyn RateLimits>,
    locally: AtomicU64,
}

impl RedisRateLimits {
    /// Limits over a connection; `local` counts while Redis does not answer.
    pub fn new(link: Arc<Link>, local: Arc<dyn RateLimits>) -> Self {
        Self {
            link,
            take: Script::new(TAKE),
            local,
            locally: AtomicU64::new(0),
        }
    }

    /// How many verdicts were given without Redis, since the start.
    pub fn locally(&self) -> u64 {
        self.locally.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl RateLimits for RedisRateLimits {
    async fn take(&self, name: &str, cost: u32, rate: Rate) -> Verdict {
        let bucket: String = name.chars().take(MAX_NAME).collect();
        let mut take = self.take.prepare_invoke();
        take.key(self.link.key('r', &bucket))
            .arg(rate.depth_us())
            .arg(rate.cost_us(cost));
        let answer: Option<u64> = self
            .link
            .ask(|mut redis| async move { take.invoke_async(&mut redis).await })
            .await;
        match answer {
            Some(0) => Verdict::Go,
            Some(us) => Verdict::Wait(Duration::from_micros(us)),
            None => {
                self.locally.fetch_add(1, Ordering::Relaxed);
                self.local.take(name, cost, rate).await
            }
        }
    }
}
