//! A chain's node: read its head and state, quote its fees, hand it bytes.
//!
//! Contract. Every reading says at which block it is true; a block is named by its hash. The node may lag, lie about
//! its pool and lose transactions; what it says of its canonical chain is believed only as far as the followed hashes
//! agree. `broadcast` never retries by itself and never answers an error: whatever a node says or fails to say is one
//! of the outcomes, and anything unclear is `Ambiguous`. Connections have time limits; errors carry no credentials.

use async_trait::async_trait;
pub use vaultstream_event_schemas::chain::{Block, ChainHead, TransactionView};
use vaultstream_event_schemas::chain::{BlockRef, FeeQuote, Intent, RawTransaction};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::{Amount, AssetId};

/// Why a node gave no reading.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No answer, or a broken one; ask again.
    #[error("the node does not answer: {0}")]
    Unavailable(String),
    /// The node does not have the block or the state at it any more.
    #[error("the node has no state at block {0}")]
    StateGone(String),
    /// The node refused the question, which will not change.
    #[error("the node refused: {0}")]
    Refused(String),
}

/// What a node answered to a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastAnswer {
    /// How the answer is understood.
    pub outcome: BroadcastOutcome,
    /// The node's own words, cut to 512 characters.
    pub detail: String,
    /// Which node, without credentials.
    pub node: String,
}

/// A chain's node. See the module for the contract.
#[async_trait]
pub trait ChainNode: Send + Sync {
    /// Where the chain stands.
    async fn head(&self) -> Result<ChainHead, NodeError>;
    /// The canonical block at a height; `None` above the tip.
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError>;
    /// The block with a hash, canonical or not; `None` when the node does not have it.
    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError>;
    /// What an address holds of an asset at a block.
    async fn balance(&self, address: &str, asset: &AssetId, at: &BlockRef) -> Result<Amount, NodeError>;
    /// How many slots (nonces) of an address are consumed at a block: also the lowest free slot value.
    async fn slots_consumed(&self, address: &str, at: &BlockRef) -> Result<u64, NodeError>;
    /// What a transaction costs now.
    async fn quote_fee(&self) -> Result<FeeQuote, NodeError>;
    /// How many units of work (gas) the intent takes now, with a margin; `Refused` when it would fail on chain.
    async fn estimate_work(&self, intent: &Intent) -> Result<u64, NodeError>;
    /// Where a transaction is.
    async fn transaction(&self, txid: &str) -> Result<TransactionView, NodeError>;
    /// Hands the node signed bytes.
    async fn broadcast(&self, transaction: &RawTransaction) -> BroadcastAnswer;
}
