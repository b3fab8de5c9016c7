//! Account keys and signing: an account's key is made once, and signs only what it derived itself.
//!
//! Contract. `AccountKeys::create` is idempotent: the same account always has the same key. There is no way to sign a
//! digest: `Signing` takes the intent and the plan, checks that the plan does what the intent says (destination,
//! amount, asset, paying address) and nothing else, derives the bytes from the plan, and answers the digest it
//! derived beside the signature, so that the caller can compare it with the bound one. A refusal names its reason.
//! Private keys are stored encrypted (AES-256-GCM under a key from Argon2id), live in memory only while used, and never
//! appear in `Debug`, logs or errors.

use async_trait::async_trait;
use vaultstream_event_schemas::AccountId;
use vaultstream_event_schemas::chain::{Intent, Plan};

/// Which signature scheme an account's chain wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySuite {
    /// ECDSA over secp256k1 (Ethereum and its family).
    Secp256k1,
}

/// What is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// Whose key.
    pub account: AccountId,
    /// What it must achieve.
    pub intent: Intent,
    /// How it is drawn up.
    pub plan: Plan,
}

/// A signature with the digest the signer derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The digest, lower-case hex with 0x.
    pub digest: String,
    /// Signature bytes in the scheme's own form (secp256k1: r ‖ s ‖ recovery id 0 or 1, 65 bytes).
    pub bytes: Vec<u8>,
}

/// Why there is no key or no signature.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no key for the account.
    #[error("account {0} has no key here")]
    Unknown(AccountId),
    /// The plan does not do what the intent says.
    #[error("the plan does not match its intent: {0}")]
    PlanMismatch(String),
    /// The store of keys failed.
    #[error("the keystore cannot {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes account keys.
#[async_trait]
pub trait AccountKeys: Send + Sync {
    /// The public key of the account, made at the first call: for secp256k1 the 33 compressed bytes.
    async fn create(&self, account: AccountId, suite: KeySuite) -> Result<Vec<u8>, KeyError>;
}

/// Signs intents.
#[async_trait]
pub trait Signing: Send + Sync {
    /// Signs a plan for its intent.
    async fn sign(&self, request: SignRequest) -> Result<Signature, KeyError>;
}
