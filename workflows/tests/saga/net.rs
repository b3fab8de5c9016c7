//! The chain under test: our sandbox on loopback, whose blocks come when they are told to.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use vaultstream_domain::ports::{ChainNode, Faucet};
use vaultstream_event_schemas::chain::{AssetSettings, BlockRef, ChainSettings, RawTransaction};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::{Amount, AssetId, ChainId, Slug};
use vaultstream_infra_chain_evm::{EvmNode, Options, SandboxFaucet};
use vaultstream_sandbox_evm::{Durability, Options as SandboxOptions, Running, Sandbox};

use crate::signer::keccak;

pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// A block is final when so many lie above it.
pub const FINAL_DEPTH: u64 = 2;
/// How long a question to the node may take: short, because some of these tests wait for it to pass.
const PATIENCE_MS: u64 = 500;

/// A running chain and a client of it.
pub struct Net {
    running: Running,
    faucet: SandboxFaucet,
    pub node: Arc<dyn ChainNode>,
    pub settings: ChainSettings,
    _data: TempDir,
}

pub fn native() -> AssetId {
    AssetId::try_new("eip155:31337/slip44:60").expect("an asset")
}

fn settings() -> ChainSettings {
    ChainSettings {
        id: ChainId::try_new("eip155:31337").expect("a chain"),
        slug: Slug::try_new("eth_test").expect("a slug"),
        name: "Test".to_owned(),
        sandbox: true,
        assets: vec![AssetSettings {
            id: native(),
            symbol: "ETH".to_owned(),
            decimals: 18,
        }],
    }
}

impl Net {
    pub async fn start() -> Self {
        let data = TempDir::new().expect("a directory");
        let mut options = SandboxOptions::new(data.path());
        options.durability = Durability::ProcessDeath;
        (options.safe_depth, options.finalized_depth) = (1, FINAL_DEPTH);
        let sandbox = Sandbox::open(options).expect("a chain");
        let running = sandbox.start().await.expect("free ports");
        let at = |url: &str| Options::new(url, settings().id);
        let faucet = SandboxFaucet::try_new(&at(&running.control_url)).expect("a faucet");
        let mut options = at(&running.rpc_url);
        options.request_timeout_ms = PATIENCE_MS;
        let node = EvmNode::connect(options).await.expect("the right chain");
        let net = Self {
            running,
            faucet,
            node: Arc::new(node),
            settings: settings(),
            _data: data,
        };
        net.control("sandbox_setAutomine", json!({ "on": false })).await;
        net.mine(FINAL_DEPTH + 1).await;
        net
    }

    pub async fn control(&self, method: &str, params: Value) {
        self.running.control(method, params).await.expect(method);
    }

    pub async fn mine(&self, blocks: u64) {
        self.control("sandbox_mine", json!({ "blocks": blocks })).await;
    }

    pub async fn fund(&self, address: &str, wei: u128) {
        let minor = Amount::from_u128(wei);
        self.faucet.fund(address, minor).await.expect("the faucet gives");
    }

    pub async fn tip(&self) -> BlockRef {
        self.node.head().await.expect("a head").tip.at
    }

    pub async fn balance(&self, address: &str) -> u128 {
        self.balance_of(address, &native()).await
    }

    pub async fn balance_of(&self, address: &str, asset: &AssetId) -> u128 {
        let held = self.node.balance(address, asset, &self.tip().await).await;
        held.expect("a balance").to_u128().expect("below 2^128")
    }

    /// Has signed bytes included in the next block.
    pub async fn include(&self, bytes: &[u8]) {
        let transaction = RawTransaction {
            txid: format!("0x{}", hex::encode(keccak(bytes))),
            raw: format!("0x{}", hex::encode(bytes)),
        };
        let answer = self.node.broadcast(&transaction).await;
        assert_eq!(answer.outcome, BroadcastOutcome::Accepted, "{}", answer.detail);
        self.mine(1).await;
    }

    /// How many transactions of an address are in the chain.
    pub async fn sent(&self, address: &str) -> u64 {
        let consumed = self.node.slots_consumed(address, &self.tip().await).await;
        consumed.expect("a nonce")
    }
}
