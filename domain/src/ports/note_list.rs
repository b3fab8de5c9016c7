//! Lists of signed notes, kept where the log is not: checkpoints over the whole log, and marks of how far it had come and
//! which slot values were bound.
//!
//! Contract. The notes of a list are numbered densely from 1 and never changed. An append is durable before it is answered,
//! whole or not at all: what a crash tore was never there. It is refused unless its number is the one after the newest, so
//! of two that append at once one is refused, and the newest never goes back. Sending the newest again is no refusal: an
//! ambiguous answer is resolved by asking again. The list believes nothing and checks no signature. It is another file,
//! database or bucket than the log's: who cuts the one has not cut the other.
//!
//! Checkpoints are never removed. Marks may be missing from the oldest on, and are then not read; the newest is always
//! there. They go into no backup: a mark that is put back with the log it stands for is worth nothing.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use vaultstream_event_schemas::Checkpoint;
use vaultstream_event_schemas::mark::Mark;
use vaultstream_event_schemas::note::Note;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Checkpoints.
    Checkpoint,
    /// Marks.
    Mark,
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "checkpoint",
            Self::Mark => "mark",
        })
    }
}

impl NoteKind {
    /// The most notes that one read returns. A mark with all the binds it may have is seventy times as long as a
    /// checkpoint of a few shards.
    pub const fn page(self) -> usize {
        match self {
            Self::Checkpoint => 1_000,
            Self::Mark => 100,
        }
    }

    /// Whether the oldest notes may be removed by hand.
    pub const fn may_lack_the_oldest(self) -> bool {
        matches!(self, Self::Mark)
    }

    /// The number that a note says it has; none when it is no note of this kind.
    pub fn number_of(self, note: &str) -> Option<u64> {
        let note = Note::parse(note).ok()?;
        match self {
            Self::Checkpoint => Some(note.text().parse::<Checkpoint>().ok()?.number),
            Self::Mark => Some(note.text().parse::<Mark>().ok()?.number),
        }
    }

    /// Whether a note has to be written behind the newest: not when it is the newest, sent again. Refuses what cannot be
    /// the next one, a wrong number before a wrong note.
    pub fn is_new(self, note: &KeptNote, newest: Option<&KeptNote>) -> Result<bool, NoteListError> {
        if newest == Some(note) {
            return Ok(false);
        }
        let (kind, number) = (self, note.number);
        let newest = newest.map_or(0, |newest| newest.number);
        if number != newest + 1 {
            return Err(NoteListError::Number { kind, number, newest });
        }
        if self.number_of(&note.note) != Some(number) {
            return Err(NoteListError::Malformed { kind, number });
        }
        Ok(true)
    }
}

/// A note as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNote {
    /// Its number, from 1.
    pub number: u64,
    /// The signed note.
    pub note: String,
}

/// Why a note could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum NoteListError {
    /// The list is out of reach or full.
    #[error("{kind}s cannot be {doing}")]
    Store {
        /// What the list is of.
        kind: NoteKind,
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Another number is due.
    #[error("{kind} {number} cannot be kept: the newest is {newest}; read it and sign what follows it")]
    Number {
        /// What the list is of.
        kind: NoteKind,
        /// The number that was given.
        number: u64,
        /// The newest number there is; 0 when there is none.
        newest: u64,
    },
    /// The note is none, or says another number.
    #[error("this is no {kind} {number} that can be kept")]
    Malformed {
        /// What the list is of.
        kind: NoteKind,
        /// The number that was given.
        number: u64,
    },
}

impl NoteListError {
    /// Of a list that is out of reach or full, while it was being `doing`.
    pub fn store<E: Into<Box<dyn Error + Send + Sync>>>(
        kind: NoteKind,
        doing: &'static str,
    ) -> impl Fn(E) -> Self {
        move |source: E| Self::Store {
            kind,
            doing,
            source: source.into(),
        }
    }
}

/// A list of signed notes. See the module for the contract.
#[async_trait]
pub trait NoteList: Send + Sync {
    /// Keeps the next one.
    async fn append(&self, note: &KeptNote) -> Result<(), NoteListError>;
    /// The newest, when there is one.
    async fn newest(&self) -> Result<Option<KeptNote>, NoteListError>;
    /// Those with a number above `after` that are still kept, in order, at most `limit` (and [`NoteKind::page`]).
    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptNote>, NoteListError>;
}
