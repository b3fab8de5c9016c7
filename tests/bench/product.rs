//! The embedded product with the demo: started until it is ready, asked, and waited for until it has folded.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::process::{Process, program};

/// How long views may take to fold a million events.
const FOLDING: Duration = Duration::from_secs(1_200);

/// The embedded product with the demo, on empty data.
pub struct Product {
    /// Its process.
    pub process: Process,
    /// Where it answers.
    pub address: String,
    /// The demo's key.
    pub key: String,
    /// From its start until it was ready.
    pub ready_ms: f64,
    /// When it was ready.
    pub ready_at: Instant,
    _data: tempfile::TempDir,
}

impl Product {
    /// Starts it and waits until the demo is there.
    pub fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path().join("data"));
        let begun = Instant::now();
        let mut process = Process::start(command, data.path().join("said"))?;
        let address = process.line("Vaultstream is ready at http://")?;
        let ready_at = Instant::now();
        process.line("One-time sign-in link: ")?;
        let key = read_key(&data.path().join("data/demo.key"))?;
        Ok(Self {
            process,
            address,
            key,
            ready_ms: (ready_at - begun).as_secs_f64() * 1000.0,
            ready_at,
            _data: data,
        })
    }

    /// Asks, as people would; the answer and its version.
    pub async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<(Value, Option<String>)> {
        let mut request = reqwest::Client::new()
            .request(method, format!("http://{}{path}", self.address))
            .bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let etag = response.headers().get("etag").and_then(|v| v.to_str().ok());
        let etag = etag.map(str::to_owned);
        ensure!(
            response.status().is_success(),
            "{path}: {}",
            response.text().await?
        );
        Ok((response.json().await?, etag))
    }
}

fn read_key(file: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(file)?.trim_end().to_owned())
}

/// Waits until the views of whoever answers there have folded everything; the events of the chains' shards.
pub async fn caught_up(address: &str) -> Result<u64> {
    let begun = Instant::now();
    loop {
        let response = reqwest::get(format!("http://{address}/health/ready")).await?;
        let body: Value = response.json().await?;
        let views = body["views"].as_array().cloned().unwrap_or_default();
        let folded = |v: &Value| v["position"].as_u64() == v["head"].as_u64();
        if !views.is_empty() && views.iter().all(folded) {
            let transfers = views.iter().filter(|v| v["view"] == "transfers");
            return Ok(transfers.filter_map(|v| v["head"].as_u64()).sum());
        }
        ensure!(begun.elapsed() < FOLDING, "the views do not catch up: {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
