//! The cluster's cache and shared rate limits on Redis.
//!
//! Invariants: Redis makes answers faster and limits shared, never different. Gone, paused, refusing or emptied, it is a
//! miss for the cache and local counting for the limits, never an error; one command takes at most
//! [`RedisOptions::timeout`], and while it does not answer nobody waits for it.

mod cache;
mod check;
mod error;
mod link;
mod options;
mod rate_limits;

pub use cache::RedisCache;
pub use error::OpenError;
pub use link::{Counts, Link};
pub use options::RedisOptions;
pub use rate_limits::RedisRateLimits;
