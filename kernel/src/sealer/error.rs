//! Why nothing is signed.

use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::note_list::NoteListError;
use vaultstream_domain::ports::seal::SealError;
use vaultstream_event_schemas::ShardNumber;

/// Why the sealer did not seal.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The list of checkpoints does not answer, or another sealer was first.
    #[error(transparent)]
    Checkpoints(#[from] NoteListError),
    /// Nothing is signed now.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A shard began another life.
    #[error("shard {0} began another life")]
    Reborn(ShardNumber),
    /// The newest checkpoint is not one this installation signed.
    #[error(
        "checkpoint {number} in the list of checkpoints was not signed by this installation; restore the list from a copy, or \
         the keys it was signed with"
    )]
    Foreign {
        /// Its number in the list.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log is not the one that was sealed.
    #[error(
        "the log contradicts checkpoint {checkpoint} at position {position} of shard {shard}: {what}; nothing is signed until \
         it is restored (docs/runbooks/sealer-refuses.md)"
    )]
    Contradiction {
        /// The checkpoint.
        checkpoint: u64,
        /// The shard.
        shard: ShardNumber,
        /// The position, or the last of the sealed ones when no single one is known.
        position: u64,
        /// How.
        what: &'static str,
    },
}
