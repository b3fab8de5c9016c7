//! Drawing up the transaction for an intent: a native transfer, or a token contract's `transfer`.
//!
//! Everything is explicit: chain, nonce, gas and fees come in, nothing is looked up. Refuses zero, foreign assets, bad
//! addresses, fees above the transfer's cap or the installation's ceiling.

use alloy_primitives::{Address, U256, hex};
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::{EvmPlan, FeeQuote, Intent};

use crate::address::{checksummed, parse_address, parse_destination};
use crate::asset::{Asset, asset_on};
use crate::erc20::transfer_call;
use crate::error::PlanError;
use crate::fee::{GAS_MAX, GAS_MIN, bid, fee_at};

/// What an intent calls, without nonce and fees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who pays.
    pub from: Address,
    /// The called address: the destination, or the token's contract.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Call data.
    pub data: Vec<u8>,
}

/// What an intent means on a chain.
pub fn call(intent: &Intent, chain_id: u64) -> Result<Call, PlanError> {
    let asset = asset_on(&intent.asset, chain_id)?;
    let from = parse_address(&intent.source).map_err(PlanError::Source)?;
    let destination = parse_destination(&intent.destination).map_err(PlanError::Destination)?;
    if intent.amount.is_zero() {
        return Err(PlanError::Nothing);
    }
    let amount = U256::from_be_bytes(intent.amount.to_be_bytes());
    Ok(match asset {
        Asset::Native => Call {
            from,
            to: destination,
            value: amount,
            data: Vec::new(),
        },
        Asset::Token(contract) => Call {
            from,
            to: contract,
            value: U256::ZERO,
            data: transfer_call(destination, amount),
        },
    })
}

/// Draws up the transaction. `fee_max` caps what the network may charge, in wei.
pub fn plan(
    intent: &Intent,
    chain_id: u64,
    nonce: u64,
    gas_limit: u64,
    quote: &FeeQuote,
    fee_max: Option<Amount>,
) -> Result<EvmPlan, PlanError> {
    let call = call(intent, chain_id)?;
    if !(GAS_MIN..=GAS_MAX).contains(&gas_limit) {
        return Err(PlanError::Gas(gas_limit));
    }
    if nonce == u64::MAX {
        return Err(PlanError::Nonce);
    }
    let bid = bid(quote)?;
    let fee = fee_at(bid, gas_limit).ok_or(PlanError::Quote(quote.target))?;
    if let Some(cap) = fee_max.filter(|cap| fee > *cap) {
        return Err(PlanError::FeeCap { fee, cap });
    }
    Ok(EvmPlan {
        chain_id,
        data: hex::encode_prefixed(&call.data),
        from: checksummed(&call.from),
        gas_limit,
        max_fee_per_gas: Amount::from_u128(bid.max_fee),
        max_priority_fee_per_gas: Amount::from_u128(bid.tip),
        nonce,
        to: checksummed(&call.to),
        value: Amount::from_be_bytes(call.value.to_be_bytes()),
    })
}

#[cfg(test)]
mod tests;
