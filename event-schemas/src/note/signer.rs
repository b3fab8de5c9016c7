//! A private Ed25519 key that signs notes, written as C2SP's tools write theirs:
//! `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and the seed>`.
//!
//! Only people's tools hold one; it never appears in `Debug` or errors.

use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};

use super::keys::{Algorithm, KeyError, VerifierKey};
use super::{Note, NoteError, NoteSignature};

const PREFIX: &str = "PRIVATE+KEY+";
const ED25519: u8 = 0x01;

/// A private key with its name.
pub struct SignerKey {
    signing: SigningKey,
    public: VerifierKey,
}

impl SignerKey {
    /// The key of a seed, which is 32 bytes that nobody can guess.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let signing = SigningKey::from_bytes(seed);
        let public = VerifierKey::try_new(name, Algorithm::Ed25519, signing.verifying_key().as_bytes())?;
        Ok(Self { signing, public })
    }

    /// The public key.
    pub const fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// The text that the key is kept as. A secret.
    pub fn to_secret_text(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.signing.as_bytes());
        let (name, id) = (self.public.name(), self.public.id());
        format!("{PREFIX}{name}+{id:08x}+{}", BASE64.encode(&bytes))
    }

    /// The note of a text with this key's signature alone.
    pub fn sign(&self, text: String) -> Result<Note, NoteError> {
        let signature = NoteSignature {
            name: self.public.name().to_owned(),
            id: self.public.id(),
            bytes: self.signing.sign(text.as_bytes()).to_bytes().to_vec(),
        };
        Note::try_new(text, vec![signature])
    }
}

impl FromStr for SignerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Form)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| KeyError::Form)?;
        let Some((&ED25519, seed)) = bytes.split_first() else {
            return Err(KeyError::Form);
        };
        let seed: &[u8; 32] = seed.try_into().map_err(|_| KeyError::Form)?;
        let key = Self::from_seed(name, seed)?;
        if id == format!("{:08x}", key.public.id()) {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::keys::Keys;

    #[test]
    fn key_should_come_back_and_sign_what_its_public_half_verifies() {
        let key = SignerKey::from_seed("alice", &[7; 32]).expect("a name");
        let again: SignerKey = key.to_secret_text().parse().expect("its own text");
        assert_eq!(again.public().to_string(), key.public().to_string());
        let note = again.sign("one\n".to_owned()).expect("a note");
        let other = SignerKey::from_seed("bob", &[8; 32]).expect("a name");
        let keys = Keys::new(vec![key.public().clone(), other.public().clone()]);
        let names: Vec<&str> = keys.signers(&note).into_iter().map(VerifierKey::name).collect();
        assert_eq!(names, ["alice"]);
        let changed = Note::try_new("two\n".to_owned(), note.signatures().to_vec()).expect("a note");
        assert!(keys.signers(&changed).is_empty());
    }

    #[test]
    fn text_that_is_no_private_key_should_be_refused() {
        let text = SignerKey::from_seed("alice", &[7; 32])
            .expect("a name")
            .to_secret_text();
        let public = SignerKey::from_seed("alice", &[7; 32])
            .expect("a name")
            .public()
            .to_string();
        for wrong in [
            public,
            text.replace("alice", "alicf"),
            text.replace("PRIVATE", "PUBLIC"),
            text[..text.len() - 4].to_owned(),
            String::new(),
        ] {
            assert!(wrong.parse::<SignerKey>().is_err(), "{}", wrong.len());
        }
        assert!(SignerKey::from_seed("two words", &[7; 32]).is_err());
    }
}
