//! The installation's key, which signs marks, and the operators', who release: Ed25519 alone, because what is believed is
//! decided by the production code and not by how many algorithms there are.

use async_trait::async_trait;
use vaultstream_domain::ports::SealText;
use vaultstream_domain::ports::seal::SealError;
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::note::signer::SignerKey;

/// The name of the installation's keys.
const ORIGIN: &str = "vaultstream/sim/log";
/// Operators, and how many of them have to sign.
const OPERATORS: [&str; 3] = ["alice", "bob", "carol"];
/// How many operators have to sign.
pub const THRESHOLD: usize = 2;

/// Signs marks.
pub struct SimSeal(SignerKey);

fn key(name: &str, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, &[seed; 32]).expect("a name without spaces")
}

impl Default for SimSeal {
    fn default() -> Self {
        Self(key(ORIGIN, 1))
    }
}

#[async_trait]
impl SealText for SimSeal {
    fn origin(&self) -> &str {
        ORIGIN
    }
    async fn public_keys(&self) -> Result<Keys, SealError> {
        Ok(Keys::new(vec![self.0.public().clone()]))
    }
    async fn seal(&self, text: String) -> Result<String, SealError> {
        let note = self.0.sign(text).map_err(|error| SealError(error.into()))?;
        Ok(note.to_string())
    }
}

fn operators() -> impl Iterator<Item = SignerKey> {
    OPERATORS.into_iter().zip(2..).map(|(name, seed)| key(name, seed))
}

/// The operators' public keys.
pub fn operator_keys() -> Keys {
    Keys::new(operators().map(|key| key.public().clone()).collect())
}

/// A statement as enough operators signed it, each on their own.
///
/// # Panics
/// The text is no statement.
pub fn signed_by_operators(statement: &str) -> Vec<Note> {
    let sign = |key: SignerKey| key.sign(statement.to_owned()).expect("a statement can be signed");
    operators().take(THRESHOLD).map(sign).collect()
}
