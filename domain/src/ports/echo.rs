//! An echo: events of the log as another place still has them, for who compares the log with it.
//!
//! Contract. It is read shard by shard. What comes of a shard is every event that the place had when reading it began and
//! that may lie behind a position, in the order in which the place got them: lives rise, positions rise within a life.
//! Events in front of that position and repeats may come, too. An echo is never the truth, and may have holes: a broker
//! forgets what is old, a backup ends.

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

/// Why the place could not answer.
#[derive(Debug, thiserror::Error)]
#[error("what {place} has of the log cannot be read")]
pub struct EchoError {
    /// The place, as [`Echo::place`] names it.
    pub place: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Some of what a place has of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EchoPage {
    /// Events whose hashes were computed again.
    pub events: Vec<StoredEvent>,
    /// Records among them that are damaged or no events of this shard.
    pub damaged: u64,
}

impl EchoPage {
    /// Whether the place has nothing more of the shard.
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.damaged == 0
    }
}

/// A place that still has events. See the module for the contract.
#[async_trait]
pub trait Echo: Send {
    /// The place, for people: the subject of a sentence.
    fn place(&self) -> &'static str;
    /// Begins to read a shard behind a position, whichever shard was read before.
    async fn begin(&mut self, shard: ShardNumber, after: u64) -> Result<(), EchoError>;
    /// The next page of the shard that was begun, some megabytes at most; an empty one at its end.
    async fn next(&mut self) -> Result<EchoPage, EchoError>;
}
