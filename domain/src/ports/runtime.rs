//! The process's surroundings as ports: time, identity, chance and tasks. Production code asks these and nothing else,
//! so that a simulator can run it under a virtual clock with a seed.

use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use uuid::Uuid;
use vaultstream_event_schemas::Timestamp;

/// A boxed future that may cross threads.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wall time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Returns after `ms` milliseconds, or at once for 0.
    async fn sleep_ms(&self, ms: u64);
}

/// New identities: time-ordered, unique, with zeroed shard bits (see `event-schemas::id`).
pub trait Ids: Send + Sync {
    /// A fresh UUIDv7.
    fn next(&self) -> Uuid;
}

/// Unpredictable bytes, fit for keys and secrets.
pub trait Rng: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Starts tasks. A task's name is part of its logs; a task that panics is logged and counted, never silent.
pub trait Spawn: Send + Sync {
    /// Starts a task.
    fn spawn(&self, name: &'static str, task: BoxFuture);
}
