//! What the account's key has signed where this log does not know of it: in a lost history, by a thief, by a copy.

use vaultstream_chain_evm::{assemble, plan};
use vaultstream_domain::ports::Signing;
use vaultstream_domain::ports::keys::SignRequest;
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::{EvmPlan, Intent, Plan, RawTransaction};

use crate::net::native;
use crate::world::World;

/// A payment of so many wei to the payee at a slot value: its plan, and its bytes.
pub async fn sign(world: &World<'_>, wei: u128, nonce: u64) -> (EvmPlan, RawTransaction) {
    let intent = Intent {
        amount: Amount::from_u128(wei),
        asset: native(),
        destination: world.payee.clone(),
        source: world.address().await.expect("open"),
    };
    let gas = world.net.node.estimate_work(&intent).await.expect("an estimate");
    let quote = world.net.node.quote_fee().await.expect("a quote");
    let drawn = plan(&intent, 31_337, nonce, gas, &quote, None).expect("a plan");
    let request = SignRequest {
        account: world.account,
        intent,
        plan: Plan::Evm(drawn.clone()),
    };
    let signature = world.keystore.sign(request).await.expect("a signature");
    let transaction = assemble(&drawn, &signature.bytes).expect("bytes");
    (drawn, transaction)
}
