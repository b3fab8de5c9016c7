//! The node as the port sees it; each capability is in the file of its name.

use std::fmt;

use async_trait::async_trait;
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::{BroadcastAnswer, NodeError};
use vaultstream_event_schemas::chain::{
    Block, BlockRef, ChainHead, FeeQuote, Intent, RawTransaction, TransactionView,
};
use vaultstream_event_schemas::{Amount, AssetId};

use crate::options::Options;
use crate::rpc::Rpc;

/// A connected node of an Ethereum chain.
pub struct EvmNode {
    pub(crate) rpc: Rpc,
    pub(crate) chain_id: u64,
    pub(crate) name: String,
    pub(crate) options: Options,
}

impl fmt::Debug for EvmNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvmNode")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl EvmNode {
    /// The node's name in events and logs.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl ChainNode for EvmNode {
    async fn head(&self) -> Result<ChainHead, NodeError> {
        self.read_head().await
    }
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        self.read_block_at(height).await
    }
    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        self.read_block_by_hash(hash).await
    }
    async fn balance(&self, address: &str, asset: &AssetId, at: &BlockRef) -> Result<Amount, NodeError> {
        self.read_balance(address, asset, at).await
    }
    async fn slots_consumed(&self, address: &str, at: &BlockRef) -> Result<u64, NodeError> {
        self.read_nonce(address, at).await
    }
    async fn quote_fee(&self) -> Result<FeeQuote, NodeError> {
        self.read_fee().await
    }
    async fn estimate_work(&self, intent: &Intent) -> Result<u64, NodeError> {
        self.estimate_gas(intent).await
    }
    async fn transaction(&self, txid: &str) -> Result<TransactionView, NodeError> {
        self.find_transaction(txid).await
    }
    async fn broadcast(&self, transaction: &RawTransaction) -> BroadcastAnswer {
        self.send_raw(transaction).await
    }
}
