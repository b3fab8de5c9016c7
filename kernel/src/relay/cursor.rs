//! Where a relay begins: at its note, when the log still has the history the note speaks of.

use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_domain::ports::progress::ProgressError;
use vaultstream_event_schemas::ShardNumber;

use super::{Relay, note};
use crate::tailer::Mark;

/// Why a relay cannot begin. All are tried again: the first three may pass, the others wait for a person.
#[derive(Debug, thiserror::Error)]
pub(super) enum CursorError {
    /// The note cannot be read or kept.
    #[error("the relay's cursor cannot be asked for")]
    Progress(#[from] ProgressError),
    /// The log does not answer.
    #[error("the relay cannot look at the log")]
    Log(#[from] LogError),
    /// The registry does not have the shard.
    #[error("shard {0} is not in the log's registry; start this relay with the configuration of the log")]
    Unknown(ShardNumber),
    /// The log is another one than was relayed.
    #[error(
        "shard {shard} was relayed up to position {position} of incarnation {incarnation}, and the log does not have that event; after a restore raise the shard's incarnation, and never run two clusters on one database"
    )]
    History {
        /// The shard.
        shard: ShardNumber,
        /// The cursor.
        position: u64,
        /// The life the cursor is of.
        incarnation: u32,
    },
}

impl Relay {
    /// The mark to go on behind, in the life the shard is in now.
    pub(super) async fn cursor(&self, shard: ShardNumber) -> Result<Mark, CursorError> {
        let head = self
            .ports
            .log
            .heads()
            .await?
            .remove(&shard)
            .ok_or(CursorError::Unknown(shard))?;
        let start = Mark {
            incarnation: head.incarnation,
            ..Mark::start(shard)
        };
        let Some(bytes) = self.ports.progress.load(&note(shard)).await? else {
            return Ok(start);
        };
        // A note that cannot be read says nothing: what it stood for is published again.
        let Ok(kept) = serde_json::from_slice::<Mark>(&bytes) else {
            return Ok(start);
        };
        let kept = Mark { shard, ..kept };
        if kept.incarnation < head.incarnation {
            let first = self.first_of_life(shard, head).await?;
            return Ok(Mark {
                position: kept.position.min(first - 1),
                ..start
            });
        }
        if kept.incarnation > head.incarnation || !self.has(shard, head, kept).await? {
            return Err(CursorError::History {
                shard,
                position: kept.position,
                incarnation: kept.incarnation,
            });
        }
        Ok(kept)
    }

    pub(super) async fn keep(&self, cursor: &Mark) -> Result<(), CursorError> {
        let bytes = serde_json::to_vec(cursor).expect("a mark is plain data");
        Ok(self.ports.progress.save(&note(cursor.shard), &bytes).await?)
    }

    async fn has(&self, shard: ShardNumber, head: Head, kept: Mark) -> Result<bool, LogError> {
        if kept.position > head.position {
            return Ok(false);
        }
        let (Some(before), Some(hash)) = (kept.position.checked_sub(1), kept.hash) else {
            return Ok(true);
        };
        let at = self.ports.log.read_shard(shard, before, 1).await?;
        Ok(at
            .first()
            .is_some_and(|event| event.position == kept.position && event.hash == hash))
    }

    /// The first position written in the shard's life, or the one behind the head when there is none yet. A restore
    /// cuts history and goes on from there, so lives only grow along a log and halving finds the seam: at most 64
    /// small reads, once a life.
    async fn first_of_life(&self, shard: ShardNumber, head: Head) -> Result<u64, LogError> {
        let (mut low, mut high) = (1, head.position + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.ports.log.read_shard(shard, middle - 1, 1).await?;
            let older = at
                .first()
                .is_some_and(|event| event.envelope.incarnation < head.incarnation);
            if older {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
