//! Marks: signed notes that say how far the log had come and which slot values were bound, kept where the log is not.
//!
//! Contract. Marks are numbered densely from 1 and never changed. An append is durable before it is answered, whole or not
//! at all: what a crash tore was never there. It is refused unless its number is the one after the newest, so of two that
//! append at once one is refused, and the newest never goes back. Sending the newest again is no refusal: an ambiguous
//! answer is resolved by asking again. Marks may be missing from the oldest on, and are then not read; the newest is always
//! there. The store believes nothing and checks no signature. It is another file or database than the log's and goes into
//! no backup: a mark that is put back with the log it stands for is worth nothing.

use async_trait::async_trait;

/// The most marks one read returns.
pub const MAX_MARKS_READ: usize = 100;

/// A mark as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMark {
    /// Its number, from 1.
    pub number: u64,
    /// The signed note.
    pub note: String,
}

/// Why a mark could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum MarksError {
    /// The store is out of reach or full.
    #[error("marks cannot be {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another number is due.
    #[error("mark {number} cannot be kept: the newest is {newest}; read it and mark what follows it")]
    Number {
        /// The number that was given.
        number: u64,
        /// The newest number there is; 0 when there is none.
        newest: u64,
    },
    /// The note is none, or says another number.
    #[error("this is no mark {number} that can be kept")]
    Malformed {
        /// The number that was given.
        number: u64,
    },
}

/// The list of marks. See the module for the contract.
#[async_trait]
pub trait Marks: Send + Sync {
    /// Keeps the next one.
    async fn append(&self, mark: &KeptMark) -> Result<(), MarksError>;
    /// The newest, when there is one.
    async fn newest(&self) -> Result<Option<KeptMark>, MarksError>;
    /// Those with a number above `after` that are still kept, in order, at most `limit` (and [`MAX_MARKS_READ`]).
    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptMark>, MarksError>;
}
