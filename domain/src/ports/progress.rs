//! Progress: small durable notes of how far a consumer or a chain follower has come.
//!
//! Contract. A note is replaced whole and survives a restart once `save` has returned. Notes are hints that make a
//! restart cheap; nothing is decided on them alone, and losing one only repeats work.

use async_trait::async_trait;

/// Why a note could not be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("progress cannot be {doing}")]
pub struct ProgressError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Durable notes by name (at most 128 characters) of at most 64 KiB.
#[async_trait]
pub trait Progress: Send + Sync {
    /// The note, when there is one.
    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, ProgressError>;
    /// Keeps the note.
    async fn save(&self, name: &str, note: &[u8]) -> Result<(), ProgressError>;
}
