//! The keyring: one data key per subject of personal data, and the platform's own secrets.
//!
//! Contract. The first seal for a subject makes its key. `erase` destroys the key for ever, durably before it answers;
//! opening then answers `Erased` in every process within a second, and sealing for an erased subject is refused, also for
//! one that never had a key. Erasing twice is erasing once. Keys are stored wrapped under a master key and apart from the
//! log; nothing of a destroyed key is left in the store. Neither keys nor plaintext appear in `Debug` or logs.
//!
//! The log names every erasure, and the keyring remembers up to where it has carried them out (`carried_out`). That memory
//! lies where the keys lie: whoever puts old keys back puts the old memory back with them, and what was erased since is
//! erased again.

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::sealed::{Personal, Sealed, associated_data};
use vaultstream_event_schemas::token::Place;

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The subject's key was erased.
    #[error("the key of {0} was erased")]
    Erased(String),
    /// There is no key of the subject, and no trace of one: another keyring sealed the value, or its key was lost.
    #[error("there is no key of {0}")]
    Absent(String),
    /// The ciphertext was changed, or belongs to another subject or type.
    #[error("the sealed value of {0} does not open")]
    Damaged(String),
    /// The keyring's store failed.
    #[error("the keyring cannot {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A nonce and a ciphertext.
pub type SealedBytes = ([u8; 12], Vec<u8>);

/// Data keys by subject. See the module for the contract.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// Encrypts under the subject's key, making the key when there is none.
    async fn seal_bytes(&self, subject: &str, aad: &[u8], plain: &[u8]) -> Result<SealedBytes, KeyringError>;
    /// Decrypts what `seal_bytes` made for the same subject and associated data.
    async fn open_bytes(
        &self,
        subject: &str,
        aad: &[u8],
        sealed: &SealedBytes,
    ) -> Result<Vec<u8>, KeyringError>;
    /// Destroys the subject's key; it is gone from the store when this returns.
    async fn erase(&self, subject: &str) -> Result<(), KeyringError>;
    /// Whether the subject's key was destroyed here.
    async fn is_erased(&self, subject: &str) -> Result<bool, KeyringError>;
    /// Up to where the log's erasures in a shard were carried out here; `None` before the first note.
    async fn carried_out(&self, shard: ShardNumber) -> Result<Option<Place>, KeyringError>;
    /// Notes up to where the log's erasures in a shard were carried out.
    async fn note_carried_out(&self, shard: ShardNumber, place: Place) -> Result<(), KeyringError>;
    /// A 32-byte secret of the installation by name (such as `token-mac`), made at its first use and then stable.
    async fn platform_secret(&self, name: &'static str) -> Result<[u8; 32], KeyringError>;
}

/// Seals a personal value for a subject (at most 128 characters, usually the text of a stream id).
pub async fn seal<T: Personal + Sync>(
    keyring: &dyn Keyring,
    subject: &str,
    value: &T,
) -> Result<Sealed<T>, KeyringError> {
    let plain = serde_json::to_vec(value).map_err(|e| KeyringError::Store {
        doing: "write the value as JSON",
        source: Box::new(e),
    })?;
    let (nonce, ciphertext) = keyring
        .seal_bytes(subject, &associated_data::<T>(subject), &plain)
        .await?;
    Ok(Sealed::from_parts(subject, &nonce, &ciphertext))
}

/// Opens a sealed value.
pub async fn open<T: Personal>(keyring: &dyn Keyring, sealed: &Sealed<T>) -> Result<T, KeyringError> {
    let subject = sealed.subject().to_owned();
    let parts = sealed
        .parts()
        .ok_or_else(|| KeyringError::Damaged(subject.clone()))?;
    let plain = keyring
        .open_bytes(&subject, &associated_data::<T>(&subject), &parts)
        .await?;
    serde_json::from_slice(&plain).map_err(|_| KeyringError::Damaged(subject))
}
