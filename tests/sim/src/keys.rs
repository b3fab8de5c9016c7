//! Account keys as a model: derived from the account's id, checked and used like the keystore does.

use async_trait::async_trait;
use k256::ecdsa::SigningKey;
use vaultstream_chain_evm::{address_of, check_plan, checksummed, digest};
use vaultstream_domain::ports::keys::{KeyError, KeySuite, SignRequest, Signature};
use vaultstream_domain::ports::{AccountKeys, Signing};
use vaultstream_event_schemas::chain::Plan;
use vaultstream_event_schemas::{AccountId, id};

use crate::acts::{Acts, Signed, What};
use crate::chain::CHAIN_ID;
use crate::marks::SimMarks;
use crate::weather::Weather;

/// Keys through weather. What they sign is told, and whether a mark had it.
#[derive(Clone)]
pub struct SimKeys {
    weather: Weather,
    acts: Acts,
    marks: SimMarks,
}

fn key_of(account: AccountId) -> SigningKey {
    let mut scalar = [1_u8; 32];
    scalar[16..].copy_from_slice(id::derived("sim-key", &[account.uuid().as_bytes()]).as_bytes());
    SigningKey::from_slice(&scalar).expect("a scalar below the curve's order")
}

/// The 33 compressed bytes of an account's public key.
pub fn public_key(account: AccountId) -> Vec<u8> {
    let key = key_of(account);
    key.verifying_key().to_encoded_point(true).as_bytes().to_vec()
}

/// The address of an account's key.
///
/// # Panics
/// Never: the key is a point of the curve.
pub fn address(account: AccountId) -> String {
    checksummed(&address_of(&public_key(account)).expect("a point of the curve"))
}

fn refused(why: impl std::fmt::Display) -> KeyError {
    KeyError::PlanMismatch(why.to_string())
}

impl SimKeys {
    /// Keys that tell `acts` and look into `marks`, without weather.
    pub const fn new(weather: Weather, acts: Acts, marks: SimMarks) -> Self {
        Self { weather, acts, marks }
    }

    async fn way(&self) -> Result<(), KeyError> {
        self.weather.latency().await;
        if self.weather.strikes("keys-failed", |odds| odds.keys_fail) {
            return Err(KeyError::Store {
                doing: "answer",
                source: "the simulated keystore failed".into(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl AccountKeys for SimKeys {
    async fn create(&self, account: AccountId, _: KeySuite) -> Result<Vec<u8>, KeyError> {
        self.way().await?;
        Ok(public_key(account))
    }
}

#[async_trait]
impl Signing for SimKeys {
    async fn sign(&self, request: SignRequest) -> Result<Signature, KeyError> {
        self.way().await?;
        let Plan::Evm(plan) = &request.plan;
        check_plan(plan, &request.intent, CHAIN_ID).map_err(refused)?;
        if plan.from != address(request.account) {
            return Err(refused("the plan pays from another address"));
        }
        let digest = digest(plan).map_err(refused)?;
        let (signature, recovery) = key_of(request.account)
            .sign_prehash_recoverable(digest.as_slice())
            .map_err(refused)?;
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(recovery.to_byte());
        let digest = format!("{digest:#x}");
        let signed = Signed {
            account: request.account,
            slot: plan.nonce,
            wei: plan.value.to_u128().unwrap_or(u128::MAX),
            is_marked: self.marks.has(&digest),
            digest: digest.clone(),
        };
        self.acts.did(self.weather.sim().now_us(), What::Signed(signed));
        Ok(Signature { digest, bytes })
    }
}
