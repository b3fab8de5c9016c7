//! `Signing`: the digest is derived here, from a plan that was checked here against the intent.
//!
//! Deterministic ECDSA (RFC 6979) with s in its lower half (EIP-2), so the same plan always gives the same bytes.

use std::error::Error;

use async_trait::async_trait;
use vaultstream_chain_evm::asset::chain_number;
use vaultstream_chain_evm::{address_of, check_plan, checksummed, digest};
use vaultstream_domain::ports::Signing;
use vaultstream_domain::ports::keys::{KeyError, SignRequest, Signature};
use vaultstream_event_schemas::chain::{EvmPlan, Intent, Plan};

use crate::keys::public_of;
use crate::{Inner, Keystore};

/// A refusal with its whole chain of reasons: the port carries them as one text.
fn mismatch(error: &dyn Error) -> KeyError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    KeyError::PlanMismatch(text)
}

/// Whether the plan carries out the intent, on the chain the intent's asset lives on.
fn check(plan: &EvmPlan, intent: &Intent) -> Result<(), KeyError> {
    let chain = intent.asset.chain();
    let number = chain_number(&chain).ok_or_else(|| {
        KeyError::PlanMismatch(format!("{chain} is no Ethereum chain, the plan is for one"))
    })?;
    check_plan(plan, intent, number).map_err(|e| mismatch(&e))
}

impl Inner {
    fn sign(&self, request: &SignRequest) -> Result<Signature, KeyError> {
        let Plan::Evm(plan) = &request.plan;
        check(plan, &request.intent)?;
        let key = self
            .account_key(request.account)?
            .ok_or(KeyError::Unknown(request.account))?;
        let address = address_of(&public_of(&key)).map_err(|e| mismatch(&e))?;
        let ours = checksummed(&address);
        if plan.from != ours {
            let text = format!("from is {}, the account's address is {ours}", plan.from);
            return Err(KeyError::PlanMismatch(text));
        }
        let digest = digest(plan).map_err(|e| mismatch(&e))?;
        let (signature, recovery) =
            key.sign_prehash_recoverable(digest.as_slice())
                .map_err(|e| KeyError::Store {
                    doing: "sign",
                    source: Box::new(e),
                })?;
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(recovery.to_byte());
        Ok(Signature {
            digest: format!("{digest:#x}"),
            bytes,
        })
    }
}

#[async_trait]
impl Signing for Keystore {
    async fn sign(&self, request: SignRequest) -> Result<Signature, KeyError> {
        self.run(move |inner| inner.sign(&request)).await
    }
}
