//! Public keys of notes: how they are written, and what it takes for a note to be believed.
//!
//! A key is written as a C2SP vkey, `<name>+<id>+<base64 of algorithm and public key>`, one a line. Ed25519 has the type
//! byte 0x01. C2SP has assigned none to ML-DSA-65; 0xff and a longer name stand for what has none. A note is believed
//! when every algorithm among the keys has a valid signature on it and no signature of a known key is wrong; signatures of
//! strangers are passed over, so others may countersign.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa65};
use sha2::{Digest, Sha256};

use super::{Note, NoteSignature, is_key_name};

/// The most keys of a file.
pub const MAX_KEYS: usize = 256;
/// What stands before an ML-DSA-65 key in place of a type byte of its own.
const ML_DSA_65: &[u8] = b"\xffvaultstream/ml-dsa-65";
const ED25519: &[u8] = b"\x01";

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RFC 8032.
    Ed25519,
    /// FIPS 204, without a context.
    MlDsa65,
}

impl Algorithm {
    /// What stands before the public key where it is hashed or written.
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => ED25519,
            Self::MlDsa65 => ML_DSA_65,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
        })
    }
}

#[derive(Clone)]
enum Public {
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    MlDsa65(Box<ml_dsa::VerifyingKey<MlDsa65>>),
}

/// A public key with its name.
#[derive(Clone)]
pub struct VerifierKey {
    name: String,
    id: u32,
    bytes: Vec<u8>,
    public: Public,
}

/// The text is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no vkey, or of an algorithm that is not used here.
    #[error(
        "this is no public key: write <name>+<id>+<base64>, of Ed25519 or ML-DSA-65, as `audit export` does"
    )]
    Form,
    /// Its id is not the one its name and bytes give.
    #[error("the id of this public key does not belong to its name and bytes: it was changed")]
    Id,
}

impl VerifierKey {
    /// From the public bytes: 32 of Ed25519, 1,952 of ML-DSA-65.
    pub fn try_new(name: &str, algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Form);
        }
        let public = match algorithm {
            Algorithm::Ed25519 => {
                let bytes = bytes.try_into().map_err(|_| KeyError::Form)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Form)?;
                Public::Ed25519(Box::new(key))
            }
            Algorithm::MlDsa65 => {
                let encoded = EncodedVerifyingKey::<MlDsa65>::try_from(bytes).map_err(|_| KeyError::Form)?;
                Public::MlDsa65(Box::new(ml_dsa::VerifyingKey::decode(&encoded)))
            }
        };
        let mut hash = Sha256::new();
        hash.update(name);
        hash.update(b"\n");
        hash.update(algorithm.tag());
        hash.update(bytes);
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, ..] = digest;
        Ok(Self {
            name: name.to_owned(),
            id: u32::from_be_bytes([a, b, c, d]),
            bytes: bytes.to_vec(),
            public,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id in signature lines.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The public bytes in the algorithm's own form.
    pub fn public_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How it signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Ed25519(_) => Algorithm::Ed25519,
            Public::MlDsa65(_) => Algorithm::MlDsa65,
        }
    }

    fn made(&self, signature: &NoteSignature) -> bool {
        signature.id == self.id && signature.name == self.name
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok()),
            Public::MlDsa65(key) => EncodedSignature::<MlDsa65>::try_from(signature)
                .ok()
                .and_then(|encoded| ml_dsa::Signature::<MlDsa65>::decode(&encoded))
                .is_some_and(|signature| key.verify_with_context(text, &[], &signature)),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.algorithm().tag().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VerifierKey({} {:08x} {})",
            self.name,
            self.id,
            self.algorithm()
        )
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| KeyError::Form)?;
        let algorithms = [Algorithm::Ed25519, Algorithm::MlDsa65];
        let (algorithm, public) = algorithms
            .into_iter()
            .find_map(|algorithm| Some((algorithm, bytes.strip_prefix(algorithm.tag())?)))
            .ok_or(KeyError::Form)?;
        let key = Self::try_new(name, algorithm, public)?;
        (id == format!("{:08x}", key.id))
            .then_some(key)
            .ok_or(KeyError::Id)
    }
}

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeliefError {
    /// A signature of a known key is wrong.
    #[error("the {0} signature of key {1} is wrong: the note was changed after it was signed")]
    Wrong(Algorithm, String),
    /// An algorithm among the keys has no signature on the note.
    #[error("no known key signed the note with {0}; give the public keys of the installation that made it")]
    Unsigned(Algorithm),
    /// There is no key at all.
    #[error("there is no public key to check the note with")]
    NoKeys,
}

/// The public keys that are believed.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<VerifierKey>);

/// Why a file of keys cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {source}")]
pub struct KeysError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: KeyError,
}

impl Keys {
    /// These keys.
    pub const fn new(keys: Vec<VerifierKey>) -> Self {
        Self(keys)
    }

    /// Reads a file: one key a line; empty lines and lines that begin with `#` are passed over.
    pub fn parse(file: &str) -> Result<Self, KeysError> {
        let lines = file.lines().zip(1..);
        let keys = lines
            .filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'))
            .take(MAX_KEYS)
            .map(|(text, line)| text.trim().parse().map_err(|source| KeysError { line, source }));
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// The keys.
    pub fn all(&self) -> &[VerifierKey] {
        &self.0
    }

    /// The keys that have a valid signature on a note, each once, in their order.
    pub fn signers(&self, note: &Note) -> Vec<&VerifierKey> {
        let text = note.text().as_bytes();
        let signed = |key: &&VerifierKey| {
            let mut signatures = note.signatures().iter();
            signatures.any(|signature| key.made(signature) && key.verifies(text, &signature.bytes))
        };
        self.0.iter().filter(signed).collect()
    }

    /// Whether a note is to be believed; see the module.
    pub fn believe(&self, note: &Note) -> Result<(), BeliefError> {
        if self.0.is_empty() {
            return Err(BeliefError::NoKeys);
        }
        let mut signed = Vec::new();
        for signature in note.signatures() {
            for key in self.0.iter().filter(|key| key.made(signature)) {
                if !key.verifies(note.text().as_bytes(), &signature.bytes) {
                    return Err(BeliefError::Wrong(key.algorithm(), key.name.clone()));
                }
                signed.push(key.algorithm());
            }
        }
        let missing = self
            .0
            .iter()
            .map(VerifierKey::algorithm)
            .find(|wanted| !signed.contains(wanted));
        missing.map_or(Ok(()), |algorithm| Err(BeliefError::Unsigned(algorithm)))
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|key| writeln!(f, "{key}"))
    }
}
