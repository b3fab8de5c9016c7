//! Balances and nonces, each at a block named by its hash (EIP-1898) that must be canonical.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Serialize;
use vaultstream_chain_evm::asset::{Asset, asset_on};
use vaultstream_chain_evm::erc20::{balance_call, read_balance};
use vaultstream_chain_evm::parse_address;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::{Amount, AssetId};

use crate::head::hash_of;
use crate::node::EvmNode;

/// EIP-1898's way of naming a block.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ByHash {
    block_hash: B256,
    require_canonical: bool,
}

impl ByHash {
    fn of(at: &BlockRef) -> Result<Self, NodeError> {
        Ok(Self {
            block_hash: hash_of(&at.hash)?,
            require_canonical: true,
        })
    }
}

#[derive(Debug, Clone, Serialize)]
struct View {
    to: Address,
    data: Bytes,
}

fn address(text: &str) -> Result<Address, NodeError> {
    parse_address(text).map_err(|e| NodeError::Refused(e.to_string()))
}

impl EvmNode {
    pub(crate) async fn read_balance(
        &self,
        holder: &str,
        asset: &AssetId,
        at: &BlockRef,
    ) -> Result<Amount, NodeError> {
        let holder = address(holder)?;
        let kind = asset_on(asset, self.chain_id).map_err(|e| NodeError::Refused(e.to_string()))?;
        let block = ByHash::of(at)?;
        let minor = match kind {
            Asset::Native => {
                let answer: Result<U256, _> = self.rpc.call("eth_getBalance", (holder, block)).await;
                answer.map_err(|f| f.reading_at(at))?
            }
            Asset::Token(to) => {
                let data = Bytes::from(balance_call(holder));
                let answer: Result<Bytes, _> = self.rpc.call("eth_call", (View { to, data }, block)).await;
                // A contract that refuses to say is no token; a block that is gone is told apart first.
                let answer = answer.map_err(|f| match f.reading_at(at) {
                    NodeError::Unavailable(words) if crate::classify::is_refusal_of_call(&words) => {
                        NodeError::Refused(words)
                    }
                    other => other,
                })?;
                read_balance(&answer).ok_or_else(|| {
                    NodeError::Refused(format!("no token answers at {to} in block {}", at.height))
                })?
            }
        };
        Ok(Amount::from_be_bytes(minor.to_be_bytes()))
    }

    pub(crate) async fn read_nonce(&self, holder: &str, at: &BlockRef) -> Result<u64, NodeError> {
        let params = (address(holder)?, ByHash::of(at)?);
        let answer: Result<U64, _> = self.rpc.call("eth_getTransactionCount", params).await;
        answer.map(|count| count.to()).map_err(|f| f.reading_at(at))
    }
}
