//! Rate limits: token buckets, one a name, shared by the processes that share the store.
//!
//! Contract. A bucket starts full and refills evenly. When the shared store cannot be reached the process counts alone
//! and says so in its metrics: limits may then be looser by the number of processes, requests never fail for it.

use std::time::Duration;

use async_trait::async_trait;

/// The size and pace of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many more each second.
    pub per_second: u32,
}

/// May it go on?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; the cost was taken.
    Go,
    /// No; nothing was taken, and this long from now there is enough.
    Wait(Duration),
}

/// Rate limits. See the module for the contract; nothing here fails.
#[async_trait]
pub trait RateLimits: Send + Sync {
    /// Takes `cost` tokens from the bucket `name` (at most 128 characters).
    async fn take(&self, name: &str, cost: u32, rate: Rate) -> Verdict;
}
