//! One secret at rest: a line of JSON whose readable fields are authenticated together with the ciphertext.
//!
//! A record is bound to its kind and its id, so a file moved to another name does not open. Refuses bytes that are not
//! exactly what was written, down to the case of a hexadecimal digit.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::cipher::MasterKey;
use crate::error::StoreError;

const VERSION: u32 = 1;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Nothing, encrypted to tell a right master key from a wrong one.
    Check,
    /// An account's private key, the 32 bytes of a scalar of secp256k1.
    AccountSecp256k1,
    /// A subject's data key.
    Subject,
    /// The place of a data key that was erased.
    SubjectErased,
    /// Up to where erasures were carried out.
    ErasuresCarriedOut,
    /// A secret of the installation.
    PlatformSecret,
}

/// A secret at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    pub(crate) kind: Kind,
    id: String,
    /// The public part in hex, when there is one.
    pub(crate) public: String,
    nonce: String,
    ciphertext: String,
}

fn associated(kind: Kind, id: &str, public: &str) -> Vec<u8> {
    // A JSON array separates its parts unambiguously; these four always serialize.
    serde_json::to_vec(&("vaultstream/keystore", VERSION, kind, id, public)).unwrap_or_default()
}

/// Decodes hexadecimal text as this file writes it: lower case only, or one secret would have many files.
fn lower_hex(text: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(text).ok()?;
    (hex::encode(&bytes) == text).then_some(bytes)
}

impl Record {
    /// Encrypts a secret.
    pub(crate) fn seal(
        master: &MasterKey,
        kind: Kind,
        id: &str,
        public: &[u8],
        secret: &[u8],
    ) -> Result<Self, StoreError> {
        let public = hex::encode(public);
        let (nonce, ciphertext) = master.seal(&associated(kind, id, &public), secret)?;
        Ok(Self {
            version: VERSION,
            kind,
            id: id.to_owned(),
            public,
            nonce: hex::encode(nonce),
            ciphertext: hex::encode(ciphertext),
        })
    }

    /// Decrypts the secret of the record for `id`; `None` when anything differs from what was sealed.
    pub(crate) fn open(&self, master: &MasterKey, id: &str) -> Option<Zeroizing<Vec<u8>>> {
        if self.version != VERSION || self.id != id {
            return None;
        }
        let nonce = lower_hex(&self.nonce)?.try_into().ok()?;
        let ciphertext = lower_hex(&self.ciphertext)?;
        master.open(&associated(self.kind, id, &self.public), &nonce, &ciphertext)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Strings and a number always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads exactly what `to_bytes` wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        (record.to_bytes() == bytes).then_some(record)
    }
}
