//! The cache: answers worth keeping for a while.
//!
//! Contract. What is not there, has expired, or cannot be reached is a miss: a cache makes answers faster, never
//! different. So a key names everything the value depends on (query, scope, generation, watermarks), and nothing is
//! ever removed to be correct; times to live are eviction only.

use std::time::Duration;

use async_trait::async_trait;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 512;
/// The largest value kept, in bytes; a larger one is not kept.
pub const MAX_VALUE: usize = 1 << 20;

/// The cache. See the module for the contract; nothing here fails.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value, when it is at hand.
    async fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Keeps a value for about `ttl`.
    async fn put(&self, key: &str, value: &[u8], ttl: Duration);
    /// Whether the store answers; while it does not, every look-up is a miss. For metrics: nothing is decided by it.
    fn is_up(&self) -> bool {
        true
    }
}
