//! AES-256-GCM with random 96-bit nonces, and the keys it takes, wiped when dropped.
//!
//! Far fewer than 2^32 values are ever encrypted under one key (NIST SP 800-38D §8.3), so random nonces are safe.

use std::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use zeroize::Zeroizing;

use crate::error::StoreError;

/// A 32-byte key.
#[derive(Clone)]
pub(crate) struct MasterKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, StoreError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut bytes[..]).map_err(|_| StoreError::Random)?;
    Ok(bytes)
}

impl MasterKey {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Takes a decrypted key; `None` unless it has 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.0).into())
    }

    /// Encrypts and binds `aad`.
    pub(crate) fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<([u8; 12], Vec<u8>), StoreError> {
        let nonce = *random::<12>()?;
        let payload = Payload { msg: plain, aad };
        let sealed = self.cipher().encrypt((&nonce).into(), payload);
        Ok((nonce, sealed.map_err(|_| StoreError::TooLarge)?))
    }

    /// Decrypts; `None` when anything differs from what was sealed.
    pub(crate) fn open(&self, aad: &[u8], nonce: &[u8; 12], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let payload = Payload { msg: sealed, aad };
        let plain = self.cipher().decrypt(nonce.into(), payload).ok()?;
        Some(Zeroizing::new(plain))
    }
}
