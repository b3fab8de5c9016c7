//! Backup: the log copied into blocks that are only ever added to, and put back up to any moment.
//!
//! A backup is a journal and segments. A block is events of one shard as records ([`record`]), one a line, in a segment;
//! the journal names each block with its hash, and after each run the positions that the run has reached: a *point*. Every
//! line carries the hash of the line before. Invariants: what a run adds is what is new; a run that was cut leaves nothing
//! that counts; what is put back was hashed again event by event and compared with every checkpoint that covers it.
//! Refuses: a log of another installation or another life in the same folder, a journal or block that is not what was
//! written, a moment the backup does not reach.

mod add;
mod blocks;
mod cut;
mod echo;
mod journal;
mod put_back;
mod source;

use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::{ShardNumber, Timestamp};

pub use add::{Added, Backup};
pub use cut::Until;
pub use echo::BackupEcho;
pub use journal::{Begun, Block, FORMAT, Journal, Point};
pub use put_back::{RestoredLog, RestoredShard, lives_after, put_back, verify};
pub use source::LogSource;

/// Bytes of records after which a block is closed.
pub const BLOCK_BYTES: usize = 4 << 20;
/// The longest block that is read: one record may stand behind a full block.
pub const MAX_BLOCK_BYTES: u64 = 16 << 20;
/// Bytes after which a segment is closed.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// How long a commit may take, in microseconds: what a point says of the time before it is sure by then.
pub const COMMIT_US: i64 = 15_000_000;

/// Why a backup cannot be written or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log does not answer, or has an event that cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The folder cannot be used.
    #[error("the backup cannot be {doing}")]
    Store {
        /// What was tried.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// An event in the log does not give its hash: nothing is copied over what an earlier run has.
    #[error(
        "event {position} of shard {shard} is damaged in the log; nothing was added. Compare the log with its checkpoints: \
         `vaultstream audit verify`"
    )]
    DamagedLog {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
    /// The journal is not what was written.
    #[error("line {line} of the backup's journal is not what was written; use another copy of the backup")]
    Journal {
        /// The line, from 1.
        line: usize,
    },
    /// There is no backup.
    #[error("there is no backup here; give a folder that `vaultstream backup --to` wrote")]
    Empty,
    /// A block is not what was written.
    #[error(
        "segment {segment} of the backup is not what was written at byte {offset} ({fault}); use another copy of the backup"
    )]
    Block {
        /// The segment.
        segment: u32,
        /// Where the block begins.
        offset: u64,
        /// What differs.
        fault: String,
    },
    /// The backup is of another log.
    #[error("the backup is of {found:?} and this is {wanted:?}; give each installation a folder of its own")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Who we are.
        wanted: String,
    },
    /// The log's shards are not those of the backup, or live another life.
    #[error(
        "the backup was begun on another life or other shards of this log ({0}); begin a new folder with --to"
    )]
    OtherLife(String),
    /// The log does not continue the backup.
    #[error(
        "the log does not have what the backup has at position {position} of shard {shard}: it was cut or rewritten since; \
         keep this backup as it is and compare the log with its checkpoints: `vaultstream audit verify`"
    )]
    NotContinued {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
    /// No run was ever finished.
    #[error("no run of this backup was finished; there is no point to restore to")]
    NoPoint,
    /// The moment is beyond what the backup holds.
    #[error(
        "the backup surely holds everything up to {reaches} only; give an earlier --to-time, or none for all it holds"
    )]
    Beyond {
        /// The newest moment that can be asked for.
        reaches: Timestamp,
    },
    /// The event is not in the backup.
    #[error("position {position} of shard {shard} is not in this backup")]
    NoEvent {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
    /// The events are not those that were sealed.
    #[error("the log that would be put back is not the one that was sealed: {0}")]
    Tampered(String),
}
