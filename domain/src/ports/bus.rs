//! The bus: records of a shard from a position on, in order.
//!
//! Contract. Records may repeat and, on a broker, may be missing below its retention; positions say so: a consumer
//! applies `last + 1`, drops `≤ last`, and refills from the log when it sees a hole. The bus is never the truth.

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

/// Why the bus could not answer; ask again.
#[derive(Debug, thiserror::Error)]
#[error("the bus cannot {doing}")]
pub struct BusError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A stream of records from a position. See the module for the contract.
#[async_trait]
pub trait Bus: Send + Sync {
    /// The next records of a shard after `after`, at most `limit`; waits up to a second for the first one and then
    /// returns an empty list.
    async fn fetch(&self, shard: ShardNumber, after: u64, limit: usize)
    -> Result<Vec<StoredEvent>, BusError>;
}
