//! Up to where a log is put back: everything, a moment, or an event and all that was before it.

use vaultstream_domain::ports::BackupStore;
use vaultstream_event_schemas::{Hlc, ShardNumber, Timestamp};

use super::blocks::ReadBlock;
use super::journal::Journal;
use super::{BackupError, COMMIT_US};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All that the newest finished run has.
    Newest,
    /// What had happened by this moment.
    Time(Timestamp),
    /// What had happened when this event had.
    Event {
        /// Its shard.
        shard: ShardNumber,
        /// Its position.
        position: u64,
    },
}

impl Until {
    /// The clock that the last kept event of every shard has at most.
    pub(super) fn clock(self, journal: &Journal, store: &dyn BackupStore) -> Result<Hlc, BackupError> {
        let point = journal.point.as_ref().ok_or(BackupError::NoPoint)?;
        match self {
            Self::Newest => Ok(Hlc(u64::MAX)),
            Self::Time(time) => {
                let reaches = Timestamp::from_micros(point.at.as_micros() - COMMIT_US);
                if time > reaches {
                    return Err(BackupError::Beyond { reaches });
                }
                Ok(Hlc(u64::try_from(time.as_micros()).unwrap_or(0)))
            }
            Self::Event { shard, position } => {
                let none = BackupError::NoEvent { shard, position };
                let blocks = journal.blocks.get(&shard);
                let block = blocks.and_then(|blocks| {
                    blocks
                        .iter()
                        .find(|block| block.after < position && position <= block.upto)
                });
                let Some(block) = block else { return Err(none) };
                let read = ReadBlock::read(store, block)?;
                let mut events = read.events(Hlc(u64::MAX));
                let clock = events.find_map(|(.., parts)| (parts.position == position).then_some(parts.hlc));
                clock.ok_or(none)
            }
        }
    }
}
