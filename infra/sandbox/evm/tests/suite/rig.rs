//! A running sandbox and a plain HTTP client.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use vaultstream_sandbox_evm::{Durability, Options, Running, Sandbox};

use crate::signer::{ETHER, Key, Plan};

/// So long that no block comes unasked during a test.
pub const NEVER_MS: u64 = 3_600_000;

pub struct Rig {
    pub running: Running,
    pub client: Client,
    pub dir: TempDir,
}

/// Code and message of an error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: i64,
    pub message: String,
    pub data: Option<String>,
}

pub fn key(number: u8) -> Key {
    Key::new(number)
}

pub fn hex0x(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub fn number(value: &Value) -> u128 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("not a quantity: {value}"));
    u128::from_str_radix(text.trim_start_matches("0x"), 16)
        .unwrap_or_else(|_| panic!("not a quantity: {value}"))
}

/// Keys 1, 2 and 3 have 100 ether each; blocks come only when asked for.
pub fn options(dir: &TempDir) -> Options {
    let prefunded = (1..=3).map(|tag| (key(tag).address(), 100 * ETHER)).collect();
    Options {
        block_time_ms: NEVER_MS,
        prefunded,
        durability: Durability::ProcessDeath,
        ..Options::new(dir.path().join("chain"))
    }
}

pub fn client() -> Client {
    let builder = Client::builder().no_proxy().timeout(Duration::from_secs(20));
    builder.build().expect("a plain client")
}

pub async fn rig() -> Rig {
    rig_with(|_| {}).await
}

pub async fn rig_with(change: impl FnOnce(&mut Options)) -> Rig {
    let dir = TempDir::new().expect("a temporary directory");
    let mut options = options(&dir);
    change(&mut options);
    let running = Sandbox::open(options)
        .expect("a fresh chain opens")
        .start()
        .await
        .expect("free ports");
    Rig {
        running,
        client: client(),
        dir,
    }
}

/// One call; panics when there is no JSON-RPC answer.
pub async fn ask(client: &Client, url: &str, method: &str, params: Value) -> Result<Value, Refusal> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let response = client
        .post(url)
        .json(&body)
        .send()
        .await
        .unwrap_or_else(|error| panic!("{method}: {error}"));
    let mut answer: Value = response
        .json()
        .await
        .unwrap_or_else(|error| panic!("{method}: {error}"));
    match answer.get("error") {
        None => Ok(answer["result"].take()),
        Some(error) => Err(Refusal {
            code: error["code"].as_i64().expect("an error has a code"),
            message: error["message"]
                .as_str()
                .expect("an error has a message")
                .to_owned(),
            data: error["data"].as_str().map(str::to_owned),
        }),
    }
}

impl Rig {
    pub async fn try_rpc(&self, method: &str, params: Value) -> Result<Value, Refusal> {
        ask(&self.client, &self.running.rpc_url, method, params).await
    }

    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        let shown = params.to_string();
        self.try_rpc(method, params)
            .await
            .unwrap_or_else(|refusal| panic!("{method} {shown}: {refusal:?}"))
    }

    pub async fn refused(&self, method: &str, params: Value) -> Refusal {
        let shown = params.to_string();
        match self.try_rpc(method, params).await {
            Err(refusal) => refusal,
            Ok(value) => panic!("{method} {shown} must be refused, got {value}"),
        }
    }

    pub async fn try_control(&self, method: &str, params: Value) -> Result<Value, Refusal> {
        ask(&self.client, &self.running.control_url, method, params).await
    }

    pub async fn control(&self, method: &str, params: Value) -> Value {
        self.try_control(method, params)
            .await
            .unwrap_or_else(|refusal| panic!("{method}: {refusal:?}"))
    }

    pub async fn mine(&self, blocks: u64) -> Value {
        self.control("sandbox_mine", json!([blocks])).await
    }

    pub async fn send(&self, raw: &[u8]) -> String {
        let hash = self.rpc("eth_sendRawTransaction", json!([hex0x(raw)])).await;
        hash.as_str().expect("a hash").to_owned()
    }

    pub async fn send_refused(&self, raw: &[u8]) -> Refusal {
        self.refused("eth_sendRawTransaction", json!([hex0x(raw)])).await
    }

    /// Signs with key `tag` and sends.
    pub async fn pay(&self, tag: u8, plan: Plan) -> String {
        self.send(&key(tag).sign(&plan)).await
    }

    pub async fn receipt(&self, hash: &str) -> Value {
        self.rpc("eth_getTransactionReceipt", json!([hash])).await
    }

    pub async fn balance(&self, address: [u8; 20], block: &str) -> u128 {
        number(&self.rpc("eth_getBalance", json!([hex0x(address), block])).await)
    }

    pub async fn nonce(&self, address: [u8; 20], block: &str) -> u128 {
        number(
            &self
                .rpc("eth_getTransactionCount", json!([hex0x(address), block]))
                .await,
        )
    }

    pub async fn head(&self) -> u64 {
        u64::try_from(number(&self.rpc("eth_blockNumber", json!([])).await)).expect("a block number")
    }

    pub async fn block(&self, block: &str) -> Value {
        self.rpc("eth_getBlockByNumber", json!([block, true])).await
    }
}
