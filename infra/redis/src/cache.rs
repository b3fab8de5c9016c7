//! The cache on Redis: a value under a prefixed key, with a time to live.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::Cache;
use vaultstream_domain::ports::cache::{MAX_KEY, MAX_VALUE};

use crate::Link;

/// The cache.
pub struct RedisCache {
    link: Arc<Link>,
}

impl RedisCache {
    /// A cache over a connection.
    pub const fn new(link: Arc<Link>) -> Self {
        Self { link }
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        if key.len() > MAX_KEY {
            return None;
        }
        let key = self.link.key('c', key);
        let found = self
            .link
            .ask(|mut redis| async move { redis::cmd("GET").arg(key).query_async(&mut redis).await })
            .await;
        found.flatten()
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).min(MAX_TTL_MS);
        if key.len() > MAX_KEY || value.len() > MAX_VALUE || ttl_ms == 0 {
            return;
        }
        let mut set = redis::cmd("SET");
        set.arg(self.link.key('c', key)).arg(value).arg("PX").arg(ttl_ms);
        // What could not be kept is a miss later on; there is nothing to tell anybody.
        self.link
            .ask(|mut redis| async move { set.query_async::<()>(&mut redis).await })
            .await;
    }

    fn is_up(&self) -> bool {
        self.link.is_up()
    }
}

/// Longer than anything is kept; Redis refuses times that overflow its clock.
const MAX_TTL_MS: u64 = 30 * 24 * 3_600 * 1_000;
