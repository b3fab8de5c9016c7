//! How far shards are from the bus, by the relay's own notes: for whoever watches it.

use std::collections::BTreeMap;

use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_domain::ports::progress::ProgressError;
use vaultstream_domain::ports::{EventLog, Progress};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{ShardNumber, Timestamp};

use super::note;
use crate::tailer::Mark;
use crate::waiting::Waiting;

/// How far one shard is from the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLag {
    /// The shard.
    pub shard: ShardNumber,
    /// Events of the log that the bus has not acknowledged.
    pub events: u64,
    /// How long the first of them has waited, in microseconds; 0 when none waits.
    pub age_us: u64,
}

/// Why the lag is not known.
#[derive(Debug, thiserror::Error)]
pub enum RelayLagError {
    /// The notes do not answer.
    #[error("the relay's cursor cannot be asked for")]
    Progress(#[from] ProgressError),
    /// The log does not answer.
    #[error("the event that waits for the relay cannot be read")]
    Log(#[from] LogError),
}

/// What lags are measured on.
pub struct Measure<'a> {
    /// What is relayed.
    pub log: &'a dyn EventLog,
    /// Where the relay notes how far it is.
    pub progress: &'a dyn Progress,
    /// Remembers what waits.
    pub waiting: &'a Waiting,
    /// Time.
    pub now: Timestamp,
}

impl Measure<'_> {
    /// How far some shards are, against the log's heads. A note of an earlier life counts up to the head: what is left
    /// of that life has been relayed.
    pub async fn lag(
        &self,
        heads: &BTreeMap<ShardNumber, Head>,
        shards: impl IntoIterator<Item = ShardNumber>,
    ) -> Result<Vec<RelayLag>, RelayLagError> {
        let mut lags = Vec::new();
        for shard in shards {
            let Some(head) = heads.get(&shard) else { continue };
            let kept = self.progress.load(&note(shard)).await?;
            let kept = kept.and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
            let place = Place {
                incarnation: head.incarnation,
                position: kept.map_or(0, |mark| mark.position.min(head.position)),
            };
            let events = head.position - place.position;
            let age_us = match events {
                0 => 0,
                _ => self.waiting.age_us(self.log, shard, place, self.now).await?,
            };
            lags.push(RelayLag {
                shard,
                events,
                age_us,
            });
        }
        Ok(lags)
    }
}
