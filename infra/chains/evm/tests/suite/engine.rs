//! What a case needs of a node besides JSON-RPC: blocks on demand, money, a reorganization.

use async_trait::async_trait;
use reqwest::Client;
use serde_json::{Value, json};
use vaultstream_domain::ports::Faucet;

/// A node under test; it makes blocks only when told.
#[async_trait]
pub trait Engine: Send + Sync {
    fn name(&self) -> &'static str;
    fn rpc_url(&self) -> &str;
    fn faucet(&self) -> &dyn Faucet;
    async fn mine(&self, blocks: u64);
    /// Replaces the newest blocks by as many others.
    async fn reorganize(&self, depth: u64);
    /// Takes a transaction out of the pool.
    async fn drop_transaction(&self, txid: &str);
    /// A fault only our sandbox can make.
    async fn control(&self, method: &str, _: Value) {
        panic!("{} has no {method}", self.name());
    }
}

/// Asks any JSON-RPC port, without the client under test.
pub async fn ask(url: &str, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let client = Client::builder().no_proxy().build().expect("a client");
    let response = client.post(url).json(&body).send().await.expect("an answer");
    response.json().await.expect("JSON")
}

/// The result of a question that must be answered.
pub async fn result(url: &str, method: &str, params: Value) -> Value {
    let answer = ask(url, method, params).await;
    assert_eq!(answer.get("error"), None, "{method}: {answer}");
    answer["result"].clone()
}
