//! What a signer does before it signs: does this plan do what the intent says, and nothing else?
//!
//! The signer believes nobody: it derives the call from the intent itself and compares every field. What an intent
//! leaves open (nonce, gas, fees) must at least be something the chain can take.

use std::fmt;

use alloy_primitives::hex;
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::{EvmPlan, Intent};

use crate::address::checksummed;
use crate::error::PlanMismatch;
use crate::fee::{GAS_MAX, GAS_MIN};
use crate::plan::call;

fn same(
    field: &'static str,
    found: &dyn fmt::Display,
    wanted: &dyn fmt::Display,
    holds: bool,
) -> Result<(), PlanMismatch> {
    if holds {
        return Ok(());
    }
    let cut = |text: String| text.chars().take(160).collect();
    Err(PlanMismatch::Field {
        field,
        found: cut(found.to_string()),
        wanted: cut(wanted.to_string()),
    })
}

/// Passes only a plan that carries out the intent on the chain, field by field.
pub fn check_plan(plan: &EvmPlan, intent: &Intent, chain_id: u64) -> Result<(), PlanMismatch> {
    let call = call(intent, chain_id).map_err(PlanMismatch::Intent)?;
    let text = |field, found: &String, wanted: String| same(field, found, &wanted, *found == wanted);
    same("chain_id", &plan.chain_id, &chain_id, plan.chain_id == chain_id)?;
    text("from", &plan.from, checksummed(&call.from))?;
    text("to", &plan.to, checksummed(&call.to))?;
    text("data", &plan.data, hex::encode_prefixed(&call.data))?;
    let value = Amount::from_be_bytes(call.value.to_be_bytes());
    same("value", &plan.value, &value, plan.value == value)?;
    let (gas, gas_holds) = (plan.gas_limit, (GAS_MIN..=GAS_MAX).contains(&plan.gas_limit));
    same(
        "gas_limit",
        &gas,
        &format_args!("{GAS_MIN} to {GAS_MAX}"),
        gas_holds,
    )?;
    let (fee, tip) = (plan.max_fee_per_gas, plan.max_priority_fee_per_gas);
    same(
        "max_fee_per_gas",
        &fee,
        &"less than 2^128",
        fee.to_u128().is_some(),
    )?;
    same(
        "max_priority_fee_per_gas",
        &tip,
        &format_args!("at most {fee}"),
        tip <= fee,
    )?;
    same("nonce", &plan.nonce, &"less than 2^64-1", plan.nonce != u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vaultstream_event_schemas::AssetId;
    use vaultstream_event_schemas::chain::{BlockRef, FeeQuote};

    use super::*;
    use crate::plan::plan;

    const TOKEN: &str = "eip155:7/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    fn intent(asset: &str) -> Intent {
        Intent {
            amount: Amount::from_u128(5),
            asset: AssetId::try_new(asset).expect("an asset"),
            destination: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB".to_owned(),
            source: "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359".to_owned(),
        }
    }

    fn planned(intent: &Intent) -> EvmPlan {
        let wei = Amount::from_u128(1_000_000_000);
        let at = BlockRef {
            hash: String::new(),
            height: 0,
        };
        let quote = FeeQuote {
            at,
            ceiling: wei,
            floor: wei,
            target: wei,
            tip: wei,
        };
        plan(intent, 7, 3, 60_000, &quote, None).expect("a plan")
    }

    fn refused(plan: &EvmPlan, intent: &Intent) -> &'static str {
        match check_plan(plan, intent, 7).expect_err("must be refused") {
            PlanMismatch::Field { field, .. } => field,
            PlanMismatch::Intent(_) => "intent",
        }
    }

    type Change = fn(&mut EvmPlan);

    const LIES: [(&str, Change); 12] = [
        ("chain_id", |p| p.chain_id = 8),
        ("from", |p| p.from = p.to.clone()),
        ("from", |p| p.from = p.from.to_lowercase()),
        ("to", |p| {
            p.to = "0x52908400098527886E0F7030069857D2E4169EE7".to_owned();
        }),
        ("data", |p| p.data.push_str("00")),
        ("data", |p| p.data = "0x095ea7b3".to_owned()),
        ("value", |p| p.value = Amount::from_u128(6)),
        ("gas_limit", |p| p.gas_limit = 20_999),
        ("gas_limit", |p| p.gas_limit = GAS_MAX + 1),
        ("max_fee_per_gas", |p| {
            p.max_fee_per_gas = Amount::from_be_bytes([0xff; 32]);
        }),
        ("max_priority_fee_per_gas", |p| {
            p.max_priority_fee_per_gas = Amount::from_u128(1_000_000_001);
        }),
        ("nonce", |p| p.nonce = u64::MAX),
    ];

    #[test]
    fn every_lie_should_be_named() {
        for asset in ["eip155:7/slip44:60", TOKEN] {
            let intent = intent(asset);
            let honest = planned(&intent);
            assert_eq!(check_plan(&honest, &intent, 7), Ok(()));
            for (field, change) in LIES {
                let mut plan = honest.clone();
                change(&mut plan);
                assert_eq!(refused(&plan, &intent), field, "{asset}");
            }
        }
    }

    #[test]
    fn plan_of_another_intent_should_be_refused() {
        let (native, token) = (intent("eip155:7/slip44:60"), intent(TOKEN));
        assert_eq!(refused(&planned(&native), &token), "to");
        let mut other = token.clone();
        other.amount = Amount::from_u128(4);
        assert_eq!(refused(&planned(&token), &other), "data");
        let mut foreign = token.clone();
        foreign.asset = AssetId::try_new("eip155:8/slip44:60").expect("an asset");
        assert_eq!(refused(&planned(&token), &foreign), "intent");
    }

    proptest! {
        #[test]
        fn token_data_with_any_changed_byte_should_be_refused(place in 0usize..68, bits in 1u8..) {
            let intent = intent(TOKEN);
            let mut plan = planned(&intent);
            let mut data = hex::decode(&plan.data).expect("our own hex");
            data[place] ^= bits;
            plan.data = hex::encode_prefixed(&data);
            prop_assert_eq!(refused(&plan, &intent), "data");
        }
    }
}
