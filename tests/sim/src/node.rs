//! The chain's node behind its port: one that lags, forgets, and answers broadcasts in every way that says little.
//!
//! What a refusal means is not decided here: the node speaks in words, and the production classifier reads them. What it
//! says of a block is true of that block; which block is its newest changes from call to call by up to [`LAG`].

mod broadcast;
pub mod mischief;

use async_trait::async_trait;
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::{BroadcastAnswer, NodeError};
use vaultstream_event_schemas::chain::{
    Block, BlockRef, ChainHead, FeeQuote, Intent, RawTransaction, TransactionView,
};
use vaultstream_event_schemas::{Amount, AssetId};

use crate::acts::Acts;
use crate::chain::{Mined, SimChain, wei};
use crate::sched::Life;
use crate::weather::Weather;
use mischief::Script;

/// How many blocks the node may be behind the chain.
pub const LAG: u64 = 2;
/// The fees of a quote, in wei a unit of gas.
const QUOTE: [u128; 4] = [100_000_000_000, 1_000_000_000, 2_000_000_000, 1_000_000];

/// A node of the chain.
#[derive(Clone)]
pub struct SimNode {
    pub(crate) chain: SimChain,
    pub(crate) weather: Weather,
    /// Who carries bytes that arrive late.
    pub(crate) network: Life,
    /// What happens to broadcasts, one after the other; when it is empty the weather decides.
    pub(crate) script: Script,
    /// Told of every broadcast.
    pub(crate) acts: Acts,
}

fn silent() -> NodeError {
    NodeError::Unavailable("no answer in time".to_owned())
}

impl SimNode {
    /// A node over a chain.
    pub const fn new(chain: SimChain, weather: Weather, network: Life, script: Script, acts: Acts) -> Self {
        Self {
            chain,
            weather,
            network,
            script,
            acts,
        }
    }

    async fn way(&self) -> Result<(), NodeError> {
        self.weather.latency().await;
        if self.weather.strikes("node-silent", |odds| odds.node_fails) {
            return Err(silent());
        }
        Ok(())
    }

    /// The height this node has come to.
    fn height(&self) -> u64 {
        let lag = if self.weather.is_calm() {
            0
        } else {
            self.weather.sim().draw(|dice| dice.below(LAG + 1))
        };
        self.chain.height().saturating_sub(lag)
    }

    fn at<T>(&self, at: &BlockRef, read: impl FnOnce(&Mined) -> T) -> Result<T, NodeError> {
        let inner = self.chain.locked();
        let mined = inner.at_hash(&at.hash);
        mined
            .map(read)
            .ok_or_else(|| NodeError::StateGone(at.hash.clone()))
    }
}

#[async_trait]
impl ChainNode for SimNode {
    async fn head(&self) -> Result<ChainHead, NodeError> {
        self.way().await?;
        let height = self.height();
        let inner = self.chain.locked();
        let at = usize::try_from(height).map_err(|_| silent())?;
        let tip = inner.canonical.get(at).ok_or_else(silent)?.block.clone();
        let (safe, finalized) = inner.safe_and_final(height);
        Ok(ChainHead { finalized, safe, tip })
    }

    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        self.way().await?;
        let at = usize::try_from(height).map_err(|_| silent())?;
        let inner = self.chain.locked();
        Ok(inner.canonical.get(at).map(|mined| mined.block.clone()))
    }

    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        self.way().await?;
        let inner = self.chain.locked();
        let canonical = inner.at_hash(hash).map(|mined| mined.block.clone());
        Ok(canonical.or_else(|| inner.stale.get(hash).cloned()))
    }

    async fn balance(&self, address: &str, _: &AssetId, at: &BlockRef) -> Result<Amount, NodeError> {
        self.way().await?;
        self.at(at, |mined| wei(mined.ledger.balance(address)))
    }

    async fn slots_consumed(&self, address: &str, at: &BlockRef) -> Result<u64, NodeError> {
        self.way().await?;
        self.at(at, |mined| mined.ledger.nonce(address))
    }

    async fn quote_fee(&self) -> Result<FeeQuote, NodeError> {
        self.way().await?;
        let at = self.chain.locked().tip().block.at.clone();
        let [ceiling, floor, target, tip] = QUOTE.map(wei);
        Ok(FeeQuote {
            at,
            ceiling,
            floor,
            target,
            tip,
        })
    }

    async fn estimate_work(&self, intent: &Intent) -> Result<u64, NodeError> {
        self.way().await?;
        let balance = self.chain.locked().tip().ledger.balance(&intent.source);
        if wei(balance) < intent.amount {
            return Err(NodeError::Refused("insufficient funds for transfer".to_owned()));
        }
        Ok(crate::chain::GAS * 6 / 5)
    }

    async fn transaction(&self, txid: &str) -> Result<TransactionView, NodeError> {
        self.way().await?;
        let height = self.height();
        let hides = self.weather.strikes("pool-denied", |odds| odds.pool_forgets);
        let inner = self.chain.locked();
        for mined in &inner.canonical {
            let one = mined.included.iter().find(|one| one.transaction.txid == txid);
            if let Some(one) = one {
                if mined.block.at.height > height {
                    return Ok(TransactionView::Pooled);
                }
                return Ok(TransactionView::Included {
                    block: mined.block.at.clone(),
                    fee: wei(one.fee),
                    succeeded: true,
                });
            }
        }
        if inner.pool.has(txid) && !hides {
            return Ok(TransactionView::Pooled);
        }
        Ok(TransactionView::Absent)
    }

    async fn broadcast(&self, transaction: &RawTransaction) -> BroadcastAnswer {
        self.take(transaction).await
    }
}
