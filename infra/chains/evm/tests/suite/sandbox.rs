//! Our sandbox as an engine.

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;
use vaultstream_domain::ports::Faucet;
use vaultstream_infra_chain_evm::{Options, SandboxFaucet};
use vaultstream_sandbox_evm::{Durability, Options as SandboxOptions, Running, Sandbox};

use crate::bench::{Bench, chain};
use crate::contract;
use crate::engine::Engine;

pub struct SandboxEngine {
    pub running: Running,
    faucet: SandboxFaucet,
    _data: TempDir,
}

impl SandboxEngine {
    pub async fn start() -> Self {
        let data = TempDir::new().expect("a directory");
        let mut options = SandboxOptions::new(data.path());
        options.durability = Durability::ProcessDeath;
        (options.safe_depth, options.finalized_depth) = (3, 6);
        let sandbox = Sandbox::open(options).expect("a sandbox");
        let running = sandbox.start().await.expect("free ports");
        let faucet = SandboxFaucet::try_new(&Options::new(&running.control_url, chain())).expect("a faucet");
        let engine = Self {
            running,
            faucet,
            _data: data,
        };
        engine.steer("sandbox_setAutomine", json!({ "on": false })).await;
        engine
    }

    async fn steer(&self, method: &str, params: Value) {
        self.running.control(method, params).await.expect(method);
    }
}

#[async_trait]
impl Engine for SandboxEngine {
    fn name(&self) -> &'static str {
        "sandbox"
    }
    fn rpc_url(&self) -> &str {
        &self.running.rpc_url
    }
    fn faucet(&self) -> &dyn Faucet {
        &self.faucet
    }
    async fn mine(&self, blocks: u64) {
        self.steer("sandbox_mine", json!({ "blocks": blocks })).await;
    }
    async fn reorganize(&self, depth: u64) {
        self.steer("sandbox_reorg", json!({ "depth": depth })).await;
    }
    async fn control(&self, method: &str, params: Value) {
        self.steer(method, params).await;
    }
    async fn drop_transaction(&self, txid: &str) {
        self.steer("sandbox_dropTransaction", json!({ "hash": txid }))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_should_pass_the_contract() {
    contract::run(Bench::connect(Box::new(SandboxEngine::start().await)).await).await;
}
