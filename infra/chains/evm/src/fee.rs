//! The fee quote: twice the next block's base fee plus the tip, between the installation's floor and ceiling.
//!
//! Twice, because the base fee rises by at most an eighth a block (EIP-1559): the bid stays good for six full blocks.

use alloy_primitives::U256;
use alloy_rpc_types_eth::FeeHistory;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::FeeQuote;

use crate::head::reference;
use crate::node::EvmNode;
use crate::options::Options;
use crate::rpc::Failure;

/// How many blocks of history a missing `eth_maxPriorityFeePerGas` is made up from.
const HISTORY_BLOCKS: &str = "0x5";
const MEDIAN: [u8; 1] = [50];

/// The numbers a quote is made of, in wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bid {
    floor: u128,
    target: u128,
    tip: u128,
}

fn bid(next_base_fee: u128, tip: u128, options: &Options) -> Bid {
    let ceiling = options.fee_ceiling_wei;
    let floor = next_base_fee.max(options.fee_floor_wei);
    let target = next_base_fee.saturating_mul(2).saturating_add(tip);
    Bid {
        floor,
        target: target.max(floor).min(ceiling),
        tip: tip.min(ceiling),
    }
}

/// The median of what blocks paid their producers; empty blocks, which say zero, do not count.
fn usual_tip(history: &FeeHistory) -> u128 {
    let rewards = history.reward.iter().flatten().filter_map(|block| block.first());
    let mut paid: Vec<u128> = rewards.copied().filter(|tip| *tip > 0).collect();
    paid.sort_unstable();
    paid.get(paid.len() / 2).copied().unwrap_or(0)
}

impl EvmNode {
    pub(crate) async fn read_fee(&self) -> Result<FeeQuote, NodeError> {
        let header = self.latest_header().await?;
        let newest = format!("{:#x}", header.inner.number);
        let history: Result<FeeHistory, _> = self
            .rpc
            .call("eth_feeHistory", (HISTORY_BLOCKS, newest, MEDIAN))
            .await;
        let history = history.map_err(Failure::reading)?;
        let next_base_fee = history.base_fee_per_gas.last().copied();
        let Some(next_base_fee) = next_base_fee.filter(|_| header.inner.base_fee_per_gas.is_some()) else {
            return Err(NodeError::Refused(
                "the chain has no base fee (EIP-1559)".to_owned(),
            ));
        };
        let tip: Result<U256, _> = self.rpc.call("eth_maxPriorityFeePerGas", ()).await;
        let tip = match tip {
            Ok(tip) => u128::try_from(tip).unwrap_or(u128::MAX),
            Err(failure) if failure.is_unknown_method() => usual_tip(&history),
            Err(failure) => return Err(failure.reading()),
        };
        let bid = bid(next_base_fee, tip, &self.options);
        Ok(FeeQuote {
            at: reference(&header),
            ceiling: Amount::from_u128(self.options.fee_ceiling_wei),
            floor: Amount::from_u128(bid.floor),
            target: Amount::from_u128(bid.target),
            tip: Amount::from_u128(bid.tip),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vaultstream_event_schemas::ChainId;

    use super::*;

    fn options(floor: u128, ceiling: u128) -> Options {
        let mut options = Options::new("http://localhost", ChainId::try_new("eip155:1").expect("a chain"));
        (options.fee_floor_wei, options.fee_ceiling_wei) = (floor, ceiling);
        options
    }

    #[test]
    fn bid_should_stand_between_floor_and_ceiling() {
        let b = |base, tip, floor, ceiling| {
            let bid = bid(base, tip, &options(floor, ceiling));
            (bid.floor, bid.target, bid.tip)
        };
        assert_eq!(b(7, 2, 0, 100), (7, 16, 2));
        assert_eq!(b(7, 2, 30, 100), (30, 30, 2), "the configured floor");
        assert_eq!(b(7, 2, 0, 10), (7, 10, 2), "the ceiling");
        assert_eq!(
            b(50, 2, 0, 10),
            (50, 10, 2),
            "planning refuses a floor above the ceiling"
        );
        assert_eq!(b(u128::MAX, u128::MAX, 0, 10), (u128::MAX, 10, 10));
    }

    #[test]
    fn usual_tip_should_be_the_median_of_full_blocks() {
        let history = |rewards: Vec<Vec<u128>>| FeeHistory {
            reward: Some(rewards),
            ..FeeHistory::default()
        };
        assert_eq!(usual_tip(&history(vec![vec![9], vec![0], vec![1], vec![5]])), 5);
        assert_eq!(usual_tip(&history(vec![vec![0], vec![]])), 0);
        assert_eq!(usual_tip(&FeeHistory::default()), 0);
    }

    proptest! {
        #[test]
        fn target_should_never_pass_the_ceiling(base: u128, tip: u128, floor: u128, ceiling: u128) {
            let bid = bid(base, tip, &options(floor, ceiling));
            prop_assert!(bid.target <= ceiling && bid.tip <= ceiling && bid.floor >= base.max(floor));
        }
    }
}
