//! A log that this process may open beside others, as a source: the cluster's.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_domain::ports::{BackupSource, EventLog};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::placement::ShardEntry;

/// An open log.
#[derive(Clone)]
pub struct LogSource(pub Arc<dyn EventLog>);

#[async_trait]
impl BackupSource for LogSource {
    async fn shards(&mut self) -> Result<Vec<ShardEntry>, LogError> {
        Ok(self.0.registry().entries().to_vec())
    }

    async fn heads(&mut self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        self.0.heads().await
    }

    async fn read(
        &mut self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.0.read_shard(shard, after, limit).await
    }
}
