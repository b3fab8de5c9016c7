//! Checkpoints: signed notes over the whole log, kept where the log is not.
//!
//! Contract. Checkpoints are numbered densely from 1 and never changed or removed. An append is durable before it is
//! answered; it is refused unless its number is the one after the newest, so of two that append at once one is refused.
//! Sending the newest again is no refusal: an ambiguous answer is resolved by asking again. The store believes nothing
//! and checks no signature. It is another file, database or bucket than the log's: who cuts the one has not cut the other.

use async_trait::async_trait;
use vaultstream_event_schemas::note::keys::Keys;

/// The most checkpoints one read returns.
pub const MAX_CHECKPOINTS_READ: usize = 1_000;

/// A checkpoint as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// Its number, from 1.
    pub number: u64,
    /// The signed note.
    pub note: String,
}

/// Why a checkpoint could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointsError {
    /// The store is out of reach or full.
    #[error("checkpoints cannot be {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another number is due.
    #[error("checkpoint {number} cannot be kept: the newest is {newest}; read it and seal what follows it")]
    Number {
        /// The number that was given.
        number: u64,
        /// The newest number there is; 0 when there is none.
        newest: u64,
    },
    /// The note is none, or says another number.
    #[error("this is no checkpoint {number} that can be kept")]
    Malformed {
        /// The number that was given.
        number: u64,
    },
}

/// The list of checkpoints. See the module for the contract.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// Keeps the next one.
    async fn append(&self, checkpoint: &KeptCheckpoint) -> Result<(), CheckpointsError>;
    /// The newest, when there is one.
    async fn newest(&self) -> Result<Option<KeptCheckpoint>, CheckpointsError>;
    /// Those with a number above `after`, in order, at most `limit` (and [`MAX_CHECKPOINTS_READ`]).
    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptCheckpoint>, CheckpointsError>;
}

/// Why a text was not signed.
#[derive(Debug, thiserror::Error)]
#[error("the text of a checkpoint cannot be signed")]
pub struct SealError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Signs checkpoints, with Ed25519 and with ML-DSA-65.
#[async_trait]
pub trait SealText: Send + Sync {
    /// The name of the keys: the first line of every checkpoint.
    fn origin(&self) -> &str;
    /// The public keys, made at the first call.
    async fn public_keys(&self) -> Result<Keys, SealError>;
    /// The note of a text.
    async fn seal(&self, text: String) -> Result<String, SealError>;
}
