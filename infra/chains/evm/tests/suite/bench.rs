//! A connected node with the few steps that every case takes.

use std::time::{Duration, Instant};

use vaultstream_chain_evm::plan;
use vaultstream_domain::ports::ChainNode;
use vaultstream_event_schemas::chain::{BlockRef, EvmPlan, Intent, RawTransaction, TransactionView};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::{Amount, AssetId, ChainId};
use vaultstream_infra_chain_evm::{EvmNode, Options};

use crate::engine::Engine;
use crate::wallet::Wallet;

pub const CHAIN: u64 = 31_337;
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// Nobody has its key.
pub const SOMEBODY: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";

pub fn chain() -> ChainId {
    ChainId::try_new("eip155:31337").expect("a chain")
}

pub fn native() -> AssetId {
    AssetId::try_new("eip155:31337/slip44:60").expect("an asset")
}

pub fn wei(count: u128) -> Amount {
    Amount::from_u128(count)
}

pub struct Bench {
    pub node: EvmNode,
    pub engine: Box<dyn Engine>,
}

impl Bench {
    pub async fn connect(engine: Box<dyn Engine>) -> Self {
        let options = Options::new(engine.rpc_url(), chain());
        let node = EvmNode::connect(options).await.expect("the right chain");
        Self { node, engine }
    }

    pub async fn mine(&self, blocks: u64) {
        self.engine.mine(blocks).await;
    }

    pub async fn tip(&self) -> BlockRef {
        self.node.head().await.expect("a head").tip.at
    }

    /// A wallet with one ether.
    pub async fn funded(&self, number: u8) -> Wallet {
        let wallet = Wallet::new(number);
        self.engine
            .faucet()
            .fund(&wallet.address, wei(ETHER))
            .await
            .expect("funded");
        self.mine(1).await;
        wallet
    }

    pub async fn balance(&self, address: &str, at: &BlockRef) -> Amount {
        self.node
            .balance(address, &native(), at)
            .await
            .expect("a balance")
    }

    pub fn intent(&self, from: &Wallet, to: &str, asset: AssetId, minor: u128) -> Intent {
        Intent {
            amount: wei(minor),
            asset,
            destination: to.to_owned(),
            source: from.address.clone(),
        }
    }

    /// A plan as the platform draws it up, at the node's own quote.
    pub async fn planned(&self, intent: &Intent, nonce: u64, gas: u64) -> EvmPlan {
        let quote = self.node.quote_fee().await.expect("a quote");
        plan(intent, CHAIN, nonce, gas, &quote, None).expect("a plan")
    }

    /// A signed payment of native money to somebody.
    pub async fn payment(&self, from: &Wallet, nonce: u64, minor: u128) -> RawTransaction {
        let intent = self.intent(from, SOMEBODY, native(), minor);
        from.sign(&self.planned(&intent, nonce, 21_000).await)
    }

    pub async fn send(&self, transaction: &RawTransaction) -> (BroadcastOutcome, String) {
        let answer = self.node.broadcast(transaction).await;
        (answer.outcome, answer.detail)
    }

    pub async fn accept(&self, transaction: &RawTransaction) {
        let (outcome, detail) = self.send(transaction).await;
        assert_eq!(outcome, BroadcastOutcome::Accepted, "{detail}");
    }

    pub async fn view(&self, txid: &str) -> TransactionView {
        self.node.transaction(txid).await.expect("a view")
    }

    /// Waits a little for the pool, which anvil fills beside the answer.
    pub async fn expect_view(&self, txid: &str, wanted: &TransactionView) {
        let since = Instant::now();
        loop {
            let view = self.view(txid).await;
            if view == *wanted {
                return;
            }
            assert!(
                since.elapsed() < Duration::from_secs(5),
                "{view:?}, wanted {wanted:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn expect_included(&self, txid: &str, success: bool) -> (BlockRef, Amount) {
        match self.view(txid).await {
            TransactionView::Included {
                block,
                fee,
                succeeded,
            } if succeeded == success => (block, fee),
            other => panic!("{}: {other:?}", self.engine.name()),
        }
    }
}
