//! Blocks and the head. The final block is read first and the tip last, so that, short of a breach of finality, the
//! final block is an ancestor of the tip.

use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::Header;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::{Block, BlockRef, ChainHead};

use crate::node::EvmNode;

pub(crate) fn reference(header: &Header) -> BlockRef {
    BlockRef {
        hash: format!("{:#x}", header.hash),
        height: header.inner.number,
    }
}

fn block(header: &Header) -> Block {
    Block {
        at: reference(header),
        parent: format!("{:#x}", header.inner.parent_hash),
    }
}

/// The text of a hash as a value, or a refusal.
pub(crate) fn hash_of(text: &str) -> Result<B256, NodeError> {
    text.parse()
        .map_err(|_| NodeError::Refused(format!("`{text:.80}` is no hash of 32 bytes")))
}

impl EvmNode {
    pub(crate) async fn header_at(&self, tag: String) -> Result<Option<Header>, NodeError> {
        let answer = self.rpc.call("eth_getBlockByNumber", (tag, false)).await;
        answer.map_err(crate::rpc::Failure::reading)
    }

    pub(crate) async fn latest_header(&self) -> Result<Header, NodeError> {
        let header = self.header_at("latest".to_owned()).await?;
        header.ok_or_else(|| NodeError::Unavailable("it has no block yet".to_owned()))
    }

    /// A tagged block; the genesis block while the chain has none of the kind.
    async fn tagged(&self, tag: &'static str) -> Result<BlockRef, NodeError> {
        let answer: Result<Option<Header>, _> = self.rpc.call("eth_getBlockByNumber", (tag, false)).await;
        let header = match answer {
            Ok(header) => header,
            // geth: "finalized block not found" with -39001 until there is one.
            Err(crate::rpc::Failure::Refused { message, .. }) if message.contains("not found") => None,
            Err(failure) => return Err(failure.reading()),
        };
        let header = match header {
            Some(header) => Some(header),
            None => self.header_at("0x0".to_owned()).await?,
        };
        header
            .as_ref()
            .map(reference)
            .ok_or_else(|| NodeError::Unavailable(format!("it has no {tag} block and no genesis block")))
    }

    pub(crate) async fn read_head(&self) -> Result<ChainHead, NodeError> {
        let finalized = self.tagged("finalized").await?;
        let safe = self.tagged("safe").await?;
        let tip = self.latest_header().await?;
        Ok(ChainHead {
            finalized,
            safe,
            tip: block(&tip),
        })
    }

    pub(crate) async fn read_block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        let header = self.header_at(format!("{:#x}", U64::from(height))).await?;
        match header {
            Some(header) if header.inner.number != height => Err(NodeError::Unavailable(format!(
                "asked for block {height}, it answered {}",
                header.inner.number
            ))),
            other => Ok(other.as_ref().map(block)),
        }
    }

    pub(crate) async fn read_block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        let hash = hash_of(hash)?;
        let answer: Result<Option<Header>, _> = self.rpc.call("eth_getBlockByHash", (hash, false)).await;
        let header = answer.map_err(crate::rpc::Failure::reading)?;
        match header {
            Some(header) if header.hash != hash => Err(NodeError::Unavailable(format!(
                "asked for block {hash}, it answered another"
            ))),
            other => Ok(other.as_ref().map(block)),
        }
    }
}
