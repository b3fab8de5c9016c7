//! anvil as an engine, a process of its own on a free port.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use vaultstream_domain::ports::Faucet;
use vaultstream_infra_chain_evm::{AnvilFaucet, Options};

use crate::bench::{Bench, chain};
use crate::contract;
use crate::engine::{Engine, result};

pub struct AnvilEngine {
    url: String,
    faucet: AnvilFaucet,
    _process: Child,
}

/// `VAULTSTREAM_ANVIL_BIN`, or what `cargo xtask test` installed.
fn binary() -> Option<PathBuf> {
    if let Some(given) = env::var_os("VAULTSTREAM_ANVIL_BIN") {
        let file = PathBuf::from(given);
        assert!(
            file.is_file(),
            "VAULTSTREAM_ANVIL_BIN names {}, which is no file",
            file.display()
        );
        return Some(file);
    }
    let engines = PathBuf::from(env::var_os("HOME")?).join(".cache/vaultstream/engines");
    let sets = engines.read_dir().ok()?.flatten();
    sets.filter_map(|set| {
        let packages = set
            .path()
            .join("node_modules/@foundry-rs")
            .read_dir()
            .ok()?
            .flatten();
        packages
            .map(|package| package.path().join("bin/anvil"))
            .find(|file| file.is_file())
    })
    .next()
}

impl AnvilEngine {
    /// `None`, said aloud, only when there is no anvil on this machine.
    pub async fn start() -> Option<Self> {
        let Some(binary) = binary() else {
            println!("SKIPPED: no anvil; run cargo xtask test, or set VAULTSTREAM_ANVIL_BIN");
            return None;
        };
        let mut process = Command::new(binary)
            .args([
                "--port",
                "0",
                "--host",
                "127.0.0.1",
                "--chain-id",
                "31337",
                "--accounts",
                "1",
            ])
            .args(["--no-mining", "--slots-in-an-epoch", "3", "--disable-console-log"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("anvil starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let url = loop {
            let line = lines
                .next_line()
                .await
                .expect("its output")
                .expect("it says where it listens");
            if let Some(address) = line.strip_prefix("Listening on ") {
                break format!("http://{}", address.trim());
            }
        };
        // anvil writes a line a request; nobody reading would block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let faucet = AnvilFaucet::try_new(&Options::new(&url, chain())).expect("a faucet");
        Some(Self {
            url,
            faucet,
            _process: process,
        })
    }
}

#[async_trait]
impl Engine for AnvilEngine {
    fn name(&self) -> &'static str {
        "anvil"
    }
    fn rpc_url(&self) -> &str {
        &self.url
    }
    fn faucet(&self) -> &dyn Faucet {
        &self.faucet
    }
    async fn mine(&self, blocks: u64) {
        result(&self.url, "anvil_mine", json!([format!("{blocks:#x}")])).await;
    }
    async fn reorganize(&self, depth: u64) {
        result(&self.url, "anvil_reorg", json!([depth, []])).await;
    }
    async fn drop_transaction(&self, txid: &str) {
        result(&self.url, "anvil_dropTransaction", json!([txid])).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anvil_should_pass_the_contract() {
    if let Some(engine) = AnvilEngine::start().await {
        contract::run(Bench::connect(Box::new(engine)).await).await;
    }
}
