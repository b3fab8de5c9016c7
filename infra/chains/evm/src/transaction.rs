//! Where a transaction is: absent, pooled, or in a block that the node's canonical chain has, by hash.

use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::TransactionReceipt;
use serde::Deserialize;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::{BlockRef, TransactionView};

use crate::head::hash_of;
use crate::node::EvmNode;
use crate::rpc::Failure;

/// The part of a transaction that says where it is; the rest differs from chain to chain.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    hash: B256,
    block_hash: Option<B256>,
}

fn moved() -> NodeError {
    NodeError::Unavailable("the chain moved while it was read".to_owned())
}

impl EvmNode {
    pub(crate) async fn find_transaction(&self, txid: &str) -> Result<TransactionView, NodeError> {
        let txid = hash_of(txid)?;
        let place: Result<Option<Place>, _> = self.rpc.call("eth_getTransactionByHash", (txid,)).await;
        let Some(place) = place.map_err(Failure::reading)? else {
            return Ok(TransactionView::Absent);
        };
        if place.hash != txid {
            let words = format!("asked for transaction {txid}, it answered another");
            return Err(NodeError::Unavailable(words));
        }
        if place.block_hash.is_none() {
            return Ok(TransactionView::Pooled);
        }
        let receipt: Result<Option<TransactionReceipt>, _> =
            self.rpc.call("eth_getTransactionReceipt", (txid,)).await;
        let receipt = receipt.map_err(Failure::reading)?.ok_or_else(moved)?;
        self.included(&receipt).await
    }

    /// Believes a receipt only when its block is the canonical one at its height.
    async fn included(&self, receipt: &TransactionReceipt) -> Result<TransactionView, NodeError> {
        let (Some(hash), Some(height)) = (receipt.block_hash, receipt.block_number) else {
            return Err(moved());
        };
        let tag = format!("{:#x}", U64::from(height));
        let canonical = self.header_at(tag).await?;
        if canonical.is_none_or(|header| header.hash != hash) {
            return Err(moved());
        }
        let price = Amount::from_u128(receipt.effective_gas_price);
        let fee = price.checked_mul(Amount::from_u128(u128::from(receipt.gas_used)));
        Ok(TransactionView::Included {
            block: BlockRef {
                hash: format!("{hash:#x}"),
                height,
            },
            fee: fee.ok_or_else(|| NodeError::Unavailable("its fee is no number of 256 bits".to_owned()))?,
            succeeded: receipt.status(),
        })
    }
}
