//! `AccountKeys`: one file an account, made once.

use async_trait::async_trait;
use k256::ecdsa::SigningKey;
use vaultstream_domain::ports::AccountKeys;
use vaultstream_domain::ports::keys::{KeyError, KeySuite};
use vaultstream_event_schemas::AccountId;

use crate::cipher::random;
use crate::error::StoreError;
use crate::record::{Kind, Record};
use crate::{Inner, Keystore};

fn file_of(account: AccountId) -> String {
    format!("keys/{account}.json")
}

/// The 33 compressed bytes of the public key.
pub(crate) fn public_of(key: &SigningKey) -> Vec<u8> {
    key.verifying_key().to_encoded_point(true).as_bytes().to_vec()
}

/// A scalar between 1 and the curve's order, which 32 random bytes miss once in 2^128.
fn random_key() -> Result<SigningKey, StoreError> {
    loop {
        if let Ok(key) = SigningKey::from_slice(&random::<32>()?[..]) {
            return Ok(key);
        }
    }
}

impl Inner {
    /// The account's key, when there is one.
    pub(crate) fn account_key(&self, account: AccountId) -> Result<Option<SigningKey>, StoreError> {
        let name = file_of(account);
        let Some(bytes) = self.directory.read(&name)? else {
            return Ok(None);
        };
        let open = || {
            let record = Record::from_bytes(&bytes).filter(|r| r.kind == Kind::AccountSecp256k1)?;
            let secret = record.open(&self.master, &account.to_string())?;
            let key = SigningKey::from_slice(&secret).ok()?;
            (hex::encode(public_of(&key)) == record.public).then_some(key)
        };
        open()
            .map(Some)
            .ok_or_else(|| StoreError::Damaged(self.directory.file(&name)))
    }

    fn create_account_key(&self, account: AccountId) -> Result<Vec<u8>, StoreError> {
        if let Some(key) = self.account_key(account)? {
            return Ok(public_of(&key));
        }
        let key = random_key()?;
        let secret = zeroize::Zeroizing::new(key.to_bytes());
        let kind = Kind::AccountSecp256k1;
        let record = Record::seal(
            &self.master,
            kind,
            &account.to_string(),
            &public_of(&key),
            &secret,
        )?;
        let name = file_of(account);
        self.directory.create(&name, &record.to_bytes())?;
        // Ours or that of whoever was first: what is on disk counts.
        let kept = self.account_key(account)?;
        kept.map(|key| public_of(&key))
            .ok_or_else(|| StoreError::Damaged(self.directory.file(&name)))
    }
}

#[async_trait]
impl AccountKeys for Keystore {
    async fn create(&self, account: AccountId, suite: KeySuite) -> Result<Vec<u8>, KeyError> {
        let KeySuite::Secp256k1 = suite;
        self.run(move |inner| Ok(inner.create_account_key(account)?))
            .await
    }
}
