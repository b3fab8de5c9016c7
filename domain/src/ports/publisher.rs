//! The publisher: the way from the log to the bus.
//!
//! Contract. Records of a shard are handed over in the order given, and `publish` returns only when every one of them is
//! acknowledged durably. After an error any prefix of them may be on the bus, and giving the same records again is
//! right: records repeat, their positions tell. Two publishers of one shard may interleave repeats, never invent.
//!
//! Every record travels with the incarnation its shard is in while it is handed over: after a restore the bus still
//! holds records of the history that was left, and only this tells them from the log's.

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

/// The most records one call takes.
pub const MAX_PUBLISH: usize = 2_000;

/// Why records were not all acknowledged; give the same ones again.
#[derive(Debug, thiserror::Error)]
#[error("the publisher cannot {doing}")]
pub struct PublishError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Puts records on the bus. See the module for the contract.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes records of one shard in order, at most [`MAX_PUBLISH`]. `incarnation` is the life the log's shard is in,
    /// which is not older than any of the records.
    async fn publish(
        &self,
        shard: ShardNumber,
        incarnation: u32,
        records: &[StoredEvent],
    ) -> Result<(), PublishError>;
}
