//! Signatures of checkpoints: Ed25519 and ML-DSA-65, from two secrets of the installation that are seeds.
//!
//! Both schemes sign deterministically here (RFC 8032; FIPS 204's variant without randomness), so the same text always
//! gives the same note. Like every key they are decrypted for one use and wiped.

use std::sync::Arc;

use async_trait::async_trait;
use ed25519_dalek::Signer as _;
use ml_dsa::MlDsa65;
use vaultstream_domain::ports::SealText;
use vaultstream_domain::ports::seal::SealError;
use vaultstream_event_schemas::note::keys::{Algorithm, Keys, VerifierKey};
use vaultstream_event_schemas::note::{Note, NoteError, NoteSignature, is_key_name};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::{Inner, Keystore};

const ED25519: &str = "checkpoint-ed25519";
const ML_DSA_65: &str = "checkpoint-ml-dsa-65";

/// The keys of checkpoints, named after the installation.
#[derive(Debug, Clone)]
pub struct CheckpointKeys {
    keystore: Keystore,
    origin: Arc<str>,
}

struct Pair {
    classic: ed25519_dalek::SigningKey,
    lattice: ml_dsa::ExpandedSigningKey<MlDsa65>,
}

impl Pair {
    fn public(&self, origin: &str) -> Result<[VerifierKey; 2], SealError> {
        let lattice = self.lattice.verifying_key().encode();
        Ok([
            key(
                origin,
                Algorithm::Ed25519,
                self.classic.verifying_key().as_bytes(),
            )?,
            key(origin, Algorithm::MlDsa65, &lattice)?,
        ])
    }

    fn seal(&self, origin: &str, text: String) -> Result<String, SealError> {
        let by_lattice = self.lattice.sign_deterministic(text.as_bytes(), &[]);
        let by_lattice = by_lattice.map_err(|_| SealError("ML-DSA-65 gave no signature".into()))?;
        let bytes = [
            self.classic.sign(text.as_bytes()).to_bytes().to_vec(),
            by_lattice.encode().to_vec(),
        ];
        let public = self.public(origin)?;
        let signatures = public.iter().zip(bytes).map(|(key, bytes)| NoteSignature {
            name: origin.to_owned(),
            id: key.id(),
            bytes,
        });
        let note = Note::try_new(text, signatures.collect()).map_err(|error| SealError(error.into()))?;
        Ok(note.to_string())
    }
}

fn key(origin: &str, algorithm: Algorithm, bytes: &[u8]) -> Result<VerifierKey, SealError> {
    VerifierKey::try_new(origin, algorithm, bytes).map_err(|error| SealError(error.into()))
}

impl Inner {
    fn pair(&self) -> Result<Pair, StoreError> {
        let classic = Zeroizing::new(self.platform_secret(ED25519)?);
        let lattice = Zeroizing::new(self.platform_secret(ML_DSA_65)?);
        let seed = Zeroizing::new(ml_dsa::Seed::from(*lattice));
        Ok(Pair {
            classic: ed25519_dalek::SigningKey::from_bytes(&classic),
            lattice: ml_dsa::ExpandedSigningKey::from_seed(&seed),
        })
    }
}

impl CheckpointKeys {
    /// The keys of a keystore under a name, which must be fit to name keys of notes.
    pub fn try_new(keystore: Keystore, origin: &str) -> Result<Self, NoteError> {
        if !is_key_name(origin) {
            return Err(NoteError::Name(origin.to_owned()));
        }
        let origin = origin.into();
        Ok(Self { keystore, origin })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pair, &str) -> Result<T, SealError> + Send + 'static,
    ) -> Result<T, SealError> {
        let origin = Arc::clone(&self.origin);
        let run = self.keystore.run(move |inner| {
            let pair = inner.pair()?;
            Ok::<_, StoreError>(work(&pair, &origin))
        });
        run.await.map_err(|error| SealError(error.into()))?
    }
}

#[async_trait]
impl SealText for CheckpointKeys {
    fn origin(&self) -> &str {
        &self.origin
    }

    async fn public_keys(&self) -> Result<Keys, SealError> {
        self.with(|pair, origin| Ok(Keys::new(pair.public(origin)?.into())))
            .await
    }

    async fn seal(&self, text: String) -> Result<String, SealError> {
        self.with(move |pair, origin| pair.seal(origin, text)).await
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::Options;

    fn keys(dir: &TempDir) -> CheckpointKeys {
        let options = Options {
            dir: dir.path().join("keys"),
            passphrase: None,
        };
        let keystore = Keystore::open(&options).expect("opens");
        CheckpointKeys::try_new(keystore, "vaultstream/test/log").expect("a name")
    }

    #[tokio::test]
    async fn sealed_text_should_be_believed_and_keys_outlive_a_restart() {
        let dir = TempDir::new().expect("a directory");
        let note = keys(&dir).seal("one\n".to_owned()).await.expect("signed");
        let again = keys(&dir);
        let public = again.public_keys().await.expect("keys");
        public
            .believe(&Note::parse(&note).expect("a note"))
            .expect("believed");
        assert_eq!(again.seal("one\n".to_owned()).await.expect("signed"), note);
        let read = Keys::parse(&public.to_string()).expect("a file of keys");
        assert_eq!(read.all().len(), 2);
        let other = TempDir::new().expect("a directory");
        let strangers = keys(&other).public_keys().await.expect("keys");
        strangers
            .believe(&Note::parse(&note).expect("a note"))
            .expect_err("another installation");
    }

    #[tokio::test]
    async fn name_that_no_note_may_have_should_be_refused() {
        let dir = TempDir::new().expect("a directory");
        let refused = CheckpointKeys::try_new(keys(&dir).keystore, "two words");
        assert!(matches!(refused, Err(NoteError::Name(_))));
    }
}
