//! A node that may be away when the product starts: it is connected at its first use, and asked again until it answers.
//!
//! A node that can never be the right one (another chain, a certificate nobody trusts) is refused at start. Found out
//! later it counts as away, so that no payment ends for it.

use async_trait::async_trait;
use tokio::sync::OnceCell;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::{BroadcastAnswer, NodeError};
use vaultstream_event_schemas::chain::{
    Block, BlockRef, ChainHead, FeeQuote, Intent, RawTransaction, TransactionView,
};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::{Amount, AssetId, Slug};
use vaultstream_infra_chain_evm::{ConnectError, EvmNode, Options};
use vaultstream_infra_telemetry::Metrics;

/// Counts the calls to a chain's node that failed.
pub struct NodeFailures {
    metrics: Metrics,
    chain: Slug,
}

impl NodeFailures {
    /// None yet.
    pub fn new(metrics: &Metrics, chain: &Slug) -> Self {
        metrics.chains.node_failed(chain.as_str(), 0);
        Self {
            metrics: metrics.clone(),
            chain: chain.clone(),
        }
    }

    fn one(&self) {
        self.metrics.chains.node_failed(self.chain.as_str(), 1);
    }

    /// A refusal is an answer, and a block that is gone is one too.
    fn seen<T>(&self, answer: Result<T, NodeError>) -> Result<T, NodeError> {
        if let Err(NodeError::Unavailable(_)) = &answer {
            self.one();
        }
        answer
    }
}

/// A node that is connected when it is first needed.
pub struct LateNode {
    options: Options,
    node: OnceCell<EvmNode>,
    failures: NodeFailures,
}

impl LateNode {
    /// Nothing is asked yet.
    pub fn new(options: Options, failures: NodeFailures) -> Self {
        Self {
            options,
            node: OnceCell::new(),
            failures,
        }
    }

    async fn node(&self) -> Result<&EvmNode, NodeError> {
        self.node
            .get_or_try_init(|| EvmNode::connect(self.options.clone()))
            .await
            .map_err(|error| NodeError::Unavailable(Causes(&error).to_string()))
    }

    /// Connects now; an error that time may mend is none.
    pub async fn try_now(&self) -> Result<(), ConnectError> {
        let connected = self
            .node
            .get_or_try_init(|| EvmNode::connect(self.options.clone()));
        match connected.await {
            Err(error) if error.is_temporary() => {
                self.failures.one();
                tracing::warn!(why = %Causes(&error), "the chain's node is away; it is asked again");
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }
}

#[async_trait]
impl ChainNode for LateNode {
    async fn head(&self) -> Result<ChainHead, NodeError> {
        self.failures
            .seen(async { self.node().await?.head().await }.await)
    }
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        self.failures
            .seen(async { self.node().await?.block_at(height).await }.await)
    }
    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        self.failures
            .seen(async { self.node().await?.block_by_hash(hash).await }.await)
    }
    async fn balance(&self, address: &str, asset: &AssetId, at: &BlockRef) -> Result<Amount, NodeError> {
        self.failures
            .seen(async { self.node().await?.balance(address, asset, at).await }.await)
    }
    async fn slots_consumed(&self, address: &str, at: &BlockRef) -> Result<u64, NodeError> {
        self.failures
            .seen(async { self.node().await?.slots_consumed(address, at).await }.await)
    }
    async fn quote_fee(&self) -> Result<FeeQuote, NodeError> {
        self.failures
            .seen(async { self.node().await?.quote_fee().await }.await)
    }
    async fn estimate_work(&self, intent: &Intent) -> Result<u64, NodeError> {
        self.failures
            .seen(async { self.node().await?.estimate_work(intent).await }.await)
    }
    async fn transaction(&self, txid: &str) -> Result<TransactionView, NodeError> {
        self.failures
            .seen(async { self.node().await?.transaction(txid).await }.await)
    }
    async fn broadcast(&self, transaction: &RawTransaction) -> BroadcastAnswer {
        let answer = match self.node().await {
            Ok(node) => node.broadcast(transaction).await,
            // Nothing was sent; saying "unclear" is the careful side of that.
            Err(error) => BroadcastAnswer {
                outcome: BroadcastOutcome::Ambiguous,
                detail: error.to_string().chars().take(512).collect(),
                node: self.options.node.clone().unwrap_or_default(),
            },
        };
        if answer.outcome == BroadcastOutcome::Ambiguous {
            self.failures.one();
        }
        answer
    }
}
