//! Signatures under checkpoints and marks.

use async_trait::async_trait;
use vaultstream_event_schemas::note::keys::Keys;

/// Why a text was not signed.
#[derive(Debug, thiserror::Error)]
#[error("the text of a checkpoint cannot be signed")]
pub struct SealError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Signs checkpoints and marks, with Ed25519 and with ML-DSA-65.
#[async_trait]
pub trait SealText: Send + Sync {
    /// The name of the keys: the first line of every checkpoint.
    fn origin(&self) -> &str;
    /// The public keys, made at the first call.
    async fn public_keys(&self) -> Result<Keys, SealError>;
    /// The note of a text.
    async fn seal(&self, text: String) -> Result<String, SealError>;
}
