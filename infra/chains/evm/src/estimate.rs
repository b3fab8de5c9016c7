//! How much gas an intent takes: the node runs it at its head, and a margin is added for what changes until then.
//!
//! A plain transfer takes exactly 21000 at any head and gets no margin. What would fail on chain is refused with the
//! contract's own words. Whether the payer has the value is asked for here: anvil answers 21000 without looking.

use alloy_primitives::{Address, Bytes, U64, U256};
use serde::Serialize;
use vaultstream_chain_evm::fee::{GAS_MAX, GAS_MIN};
use vaultstream_chain_evm::plan::{Call, call};
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::Intent;

use crate::node::EvmNode;
use crate::rpc::Failure;

#[derive(Debug, Clone, Serialize)]
struct Trial {
    from: Address,
    to: Address,
    value: U256,
    data: Bytes,
}

impl From<Call> for Trial {
    fn from(call: Call) -> Self {
        Self {
            from: call.from,
            to: call.to,
            value: call.value,
            data: Bytes::from(call.data),
        }
    }
}

/// The estimate with its margin, rounded up; `None` beyond what a transaction may ask for.
fn with_margin(gas: u64, percent: u64) -> Option<u64> {
    if gas == GAS_MIN {
        return Some(gas);
    }
    let margin = gas.checked_mul(percent)?.div_ceil(100);
    gas.checked_add(margin).filter(|gas| *gas <= GAS_MAX)
}

impl EvmNode {
    async fn expect_value(&self, call: &Call) -> Result<(), NodeError> {
        if call.value.is_zero() {
            return Ok(());
        }
        let held: Result<U256, _> = self.rpc.call("eth_getBalance", (call.from, "latest")).await;
        let held = held.map_err(Failure::reading)?;
        if held >= call.value {
            return Ok(());
        }
        let (value, from) = (call.value, call.from);
        Err(NodeError::Refused(format!(
            "insufficient funds: {from} holds {held} wei, the transfer takes {value}"
        )))
    }

    pub(crate) async fn estimate_gas(&self, intent: &Intent) -> Result<u64, NodeError> {
        let call = call(intent, self.chain_id).map_err(|e| {
            let cause = std::error::Error::source(&e).map(|c| format!(": {c}"));
            NodeError::Refused(format!("{e}{}", cause.unwrap_or_default()))
        })?;
        self.expect_value(&call).await?;
        let answer: Result<U64, _> = self.rpc.call("eth_estimateGas", (Trial::from(call),)).await;
        let gas: u64 = answer.map_err(Failure::trial)?.to();
        with_margin(gas, self.options.gas_margin_percent).ok_or_else(|| {
            NodeError::Refused(format!("it takes {gas} gas, more than a transaction may ask for"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_should_round_up_and_end_at_the_cap() {
        assert_eq!(with_margin(21_000, 20), Some(21_000), "a plain transfer is exact");
        assert_eq!(with_margin(21_001, 20), Some(25_202));
        assert_eq!(with_margin(50_000, 0), Some(50_000));
        assert_eq!(with_margin(GAS_MAX, 0), Some(GAS_MAX));
        assert_eq!(with_margin(GAS_MAX, 1), None);
        assert_eq!(with_margin(u64::MAX, 20), None);
    }
}
