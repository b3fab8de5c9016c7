//! The chain of a soak: a sandbox of its own process, so that it remembers what a killed product forgot.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use vaultstream_rig::Child;

/// A program the environment names; `cargo xtask soak` sets these.
pub fn program(variable: &str) -> Result<PathBuf> {
    let path =
        std::env::var(variable).with_context(|| format!("{variable} is not set; run `cargo xtask soak`"))?;
    Ok(PathBuf::from(path))
}

/// The chain.
pub struct Chain {
    _process: Child,
    /// Its JSON-RPC.
    pub rpc: String,
    /// Its control port, which is its faucet, too.
    pub control: String,
    http: reqwest::Client,
    _data: TempDir,
}

impl Chain {
    /// One block a second.
    pub fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(program("VAULTSTREAM_SANDBOX_EVM_BIN")?);
        command
            .arg("--data-dir")
            .arg(data.path().join("chain"))
            .args(["--block-time-ms", "1000"]);
        let process = Child::start(command, "the sandbox chain")?;
        let urls: Value =
            serde_json::from_str(&format!("{{{}", process.line("{", Duration::from_secs(30))?))?;
        let url = |names: [&str; 3]| {
            let found = names.iter().find_map(|name| urls[*name].as_str());
            found.map(str::to_owned).with_context(|| urls.to_string())
        };
        Ok(Self {
            rpc: url(["rpcUrl", "rpc_url", "rpc"])?,
            control: url(["controlUrl", "control_url", "control"])?,
            _process: process,
            http: reqwest::Client::new(),
            _data: data,
        })
    }

    async fn number(&self, method: &str, address: &str) -> Result<u128> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": [address, "latest"] });
        let answer: Value = self.http.post(&self.rpc).json(&body).send().await?.json().await?;
        let Some(hex) = answer["result"].as_str().and_then(|h| h.strip_prefix("0x")) else {
            bail!("{method}: {answer}");
        };
        Ok(u128::from_str_radix(hex, 16)?)
    }

    /// What an address holds, in wei.
    pub async fn balance(&self, address: &str) -> Result<u128> {
        self.number("eth_getBalance", address).await
    }

    /// How many transactions of an address are in blocks.
    pub async fn sent(&self, address: &str) -> Result<u128> {
        self.number("eth_getTransactionCount", address).await
    }
}
