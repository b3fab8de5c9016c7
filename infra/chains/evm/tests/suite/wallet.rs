//! A key that signs plans, with the pure code the platform's signer uses.

use k256::ecdsa::SigningKey;
use vaultstream_chain_evm::{address_of, assemble, checksummed, digest};
use vaultstream_event_schemas::chain::{EvmPlan, RawTransaction};

/// One of many keys, always the same for a number.
pub struct Wallet {
    key: SigningKey,
    pub address: String,
}

impl Wallet {
    pub fn new(number: u8) -> Self {
        let mut scalar = [0x51; 32];
        scalar[0] = number;
        scalar[31] = 1;
        let key = SigningKey::from_slice(&scalar).expect("below the curve's order");
        let public = key.verifying_key().to_encoded_point(true);
        let address = checksummed(&address_of(public.as_bytes()).expect("a point"));
        Self { key, address }
    }

    /// r ‖ s ‖ recovery id over any digest.
    pub fn sign_digest(&self, digest: &[u8]) -> Vec<u8> {
        let (signature, recovery) = self.key.sign_prehash_recoverable(digest).expect("32 bytes");
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(recovery.to_byte());
        bytes
    }

    pub fn sign(&self, plan: &EvmPlan) -> RawTransaction {
        let digest = digest(plan).expect("a plan");
        assemble(plan, &self.sign_digest(digest.as_slice())).expect("our own key")
    }
}
