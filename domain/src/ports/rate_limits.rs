//! Rate limits: token buckets, one a name, shared by the processes that share the store.
//!
//! Contract. A bucket starts full and refills evenly; taking more than it holds at most takes all of it. When the shared
//! store cannot be reached the process counts alone and says so in its metrics: limits may then be looser by the number
//! of processes, requests never fail for it.

use std::time::Duration;

use async_trait::async_trait;

/// The longest name of a bucket, in characters; what is longer is cut.
pub const MAX_NAME: usize = 128;

/// The size and pace of a bucket. Zeros count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many more each second.
    pub per_second: u32,
}

impl Rate {
    /// How long an empty bucket takes to be full, in microseconds, rounded up.
    pub fn depth_us(&self) -> i64 {
        let us = (u64::from(self.burst.max(1)) * 1_000_000).div_ceil(u64::from(self.per_second.max(1)));
        i64::try_from(us).unwrap_or(i64::MAX)
    }

    /// How long `cost` tokens take to come back, in microseconds, rounded down so that a full bucket gives its whole
    /// burst one by one; never longer than for a whole bucket.
    pub fn cost_us(&self, cost: u32) -> i64 {
        let us = u64::from(cost.min(self.burst.max(1))) * 1_000_000 / u64::from(self.per_second.max(1));
        i64::try_from(us).unwrap_or(i64::MAX)
    }
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
    /// Takes `cost` tokens from the bucket `name` (at most [`MAX_NAME`] characters).
    async fn take(&self, name: &str, cost: u32, rate: Rate) -> Verdict;
}
