//! Chains as processes of their own: the sandbox with its control port, and anvil.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::product::{Process, program, until};

/// A chain outside the product.
pub struct Chain {
    /// Ends with this.
    _process: Process,
    /// Its JSON-RPC.
    pub rpc: String,
    /// The sandbox's control port.
    pub control: Option<String>,
    http: reqwest::Client,
    _data: TempDir,
}

impl Chain {
    /// The sandbox chain, one block each 200 ms.
    pub fn sandbox() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(program("VAULTSTREAM_SANDBOX_EVM_BIN")?);
        command
            .arg("--data-dir")
            .arg(data.path().join("chain"))
            .args(["--block-time-ms", "200"]);
        let process = Process::start(&mut command)?;
        let urls: Value = process.line(|l| serde_json::from_str(l).ok())?;
        let url = |name: &str| urls[name].as_str().map(str::to_owned);
        let rpc = url("rpcUrl")
            .or_else(|| url("rpc_url"))
            .or_else(|| url("rpc"))
            .context("the sandbox names its RPC")?;
        let control = url("controlUrl")
            .or_else(|| url("control_url"))
            .or_else(|| url("control"));
        Ok(Self {
            _process: process,
            rpc,
            control,
            http: reqwest::Client::new(),
            _data: data,
        })
    }

    /// anvil, one block a second, final one block deep.
    pub fn anvil() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(program("VAULTSTREAM_ANVIL_BIN")?);
        command
            .args(["--port", "0", "--block-time", "1", "--slots-in-an-epoch", "1"])
            .current_dir(data.path());
        let process = Process::start(&mut command)?;
        let rpc = process.line(|l| {
            l.trim()
                .strip_prefix("Listening on ")
                .map(|a| format!("http://{a}"))
        })?;
        Ok(Self {
            _process: process,
            rpc,
            control: None,
            http: reqwest::Client::new(),
            _data: data,
        })
    }

    /// Configuration of a product that uses this chain instead of its own.
    pub fn config(&self) -> String {
        let faucet = self
            .control
            .as_ref()
            .map_or_else(|| "anvil".to_owned(), |c| format!("sandbox:{c}"));
        format!(
            "[[chains]]\nid = \"eip155:31337\"\nslug = \"eth_test\"\nname = \"Test chain\"\nsandbox = true\n\
             assets = [{{ id = \"eip155:31337/slip44:60\", symbol = \"ETH\", decimals = 18 }}]\n\
             node = {{ kind = \"evm\", url = \"{}\", faucet = \"{faucet}\" }}\n",
            self.rpc
        )
    }

    async fn call(&self, url: &str, method: &str, params: Value) -> Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.http.post(url).json(&body).send().await?.json().await?;
        match answer.get("error") {
            Some(error) => bail!("{method}: {error}"),
            None => Ok(answer["result"].clone()),
        }
    }

    /// Asks the node.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        self.call(&self.rpc, method, params).await
    }

    /// Asks the sandbox's control port.
    pub async fn control(&self, method: &str, params: Value) -> Result<Value> {
        let control = self
            .control
            .clone()
            .context("only the sandbox has a control port")?;
        self.call(&control, method, params).await
    }

    async fn number(&self, method: &str, params: Value) -> Result<u128> {
        let hex = self.rpc(method, params).await?;
        let text = hex
            .as_str()
            .and_then(|h| h.strip_prefix("0x"))
            .context("a quantity is hex")?;
        Ok(u128::from_str_radix(text, 16)?)
    }

    /// What an address holds, in wei, at the tip.
    pub async fn balance(&self, address: &str) -> Result<u128> {
        self.number("eth_getBalance", json!([address, "latest"])).await
    }

    /// How many transactions an address has sent that are in blocks.
    pub async fn sent(&self, address: &str) -> Result<u128> {
        self.number("eth_getTransactionCount", json!([address, "latest"]))
            .await
    }

    /// The height of the tip.
    pub async fn height(&self) -> Result<u128> {
        self.number("eth_blockNumber", json!([])).await
    }

    /// Waits until the tip is `blocks` further.
    pub async fn advance(&self, blocks: u128) -> Result<()> {
        let from = self.height().await?;
        until("the chain goes on", || async {
            Ok((self.height().await? >= from + blocks).then_some(()))
        })
        .await
    }
}
