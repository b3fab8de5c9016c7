//! The embedded bus: it reads the log itself, so it has no retention, no holes and no repetition.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::{Bus, EventLog};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

/// A bus over any event log of this process.
#[derive(Clone)]
pub struct LogBus {
    log: Arc<dyn EventLog>,
}

impl LogBus {
    /// Reads from the given log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log }
    }
}

#[async_trait]
impl Bus for LogBus {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        let failed = |source: LogError| BusError {
            doing: "read the log",
            source: Box::new(source),
        };
        let ready = self.log.read_shard(shard, after, limit).await.map_err(failed)?;
        if !ready.is_empty() || limit == 0 {
            return Ok(ready);
        }
        self.log.wait_beyond(shard, after).await.map_err(failed)?;
        self.log.read_shard(shard, after, limit).await.map_err(failed)
    }
}
