//! Personal data at rest: a value encrypted under the key of its subject.
//!
//! Events, views and exports hold only this envelope; the `Keyring` port opens it. Hashes cover the ciphertext, so
//! erasing the subject's key erases the value while the chain of hashes still verifies. AES-256-GCM with a random
//! 96-bit nonce; the subject and the type's name are bound as associated data, so a ciphertext cannot be moved to
//! another subject or read as another type.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

/// A type that may be sealed; its name is bound into the ciphertext.
pub trait Personal: Serialize + serde::de::DeserializeOwned {
    /// A stable name, part of the format.
    const NAME: &'static str;
}

/// A `T` encrypted under the key of `subject`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sealed<T> {
    /// Ciphertext and tag, base64url without padding.
    ciphertext: String,
    /// The 96-bit nonce, base64url without padding.
    nonce: String,
    /// Whose key opens it: the text of the stream the data belongs to.
    subject: String,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Wraps the output of an encryption; only a `Keyring` has a reason to call this.
    pub fn from_parts(subject: &str, nonce: &[u8; 12], ciphertext: &[u8]) -> Self {
        Self {
            ciphertext: data_encoding::BASE64URL_NOPAD.encode(ciphertext),
            nonce: data_encoding::BASE64URL_NOPAD.encode(nonce),
            subject: subject.to_owned(),
            of: PhantomData,
        }
    }

    /// Whose key opens it.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The nonce and the ciphertext; `None` when the stored text is damaged.
    pub fn parts(&self) -> Option<([u8; 12], Vec<u8>)> {
        let nonce = data_encoding::BASE64URL_NOPAD
            .decode(self.nonce.as_bytes())
            .ok()?;
        let ciphertext = data_encoding::BASE64URL_NOPAD
            .decode(self.ciphertext.as_bytes())
            .ok()?;
        Some((nonce.try_into().ok()?, ciphertext))
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self {
            ciphertext: self.ciphertext.clone(),
            nonce: self.nonce.clone(),
            subject: self.subject.clone(),
            of: PhantomData,
        }
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.subject == other.subject && self.nonce == other.nonce && self.ciphertext == other.ciphertext
    }
}
impl<T> Eq for Sealed<T> {}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.subject)
    }
}

/// The associated data that binds a ciphertext to its subject and type.
pub fn associated_data<T: Personal>(subject: &str) -> Vec<u8> {
    format!("vaultstream/sealed/{}/{subject}", T::NAME).into_bytes()
}
