//! The front door under load: the real binary, real keys, 256 connections, transfers that rest in `awaiting_approval`.
//!
//! Also how soon it is ready with empty data, and what it holds while idle. The load generator is a few hundred lines of
//! TCP in the same process, so that it takes as little of the two cores as it can.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::line::BenchLine;

const CONNECTIONS: usize = 256;
const WARM: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);
const STEADY_PER_SECOND: u64 = 1_000;
const SOMEWHERE: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

struct Product {
    child: Child,
    address: String,
    key: String,
    ready_ms: f64,
    _data: tempfile::TempDir,
}

impl Drop for Product {
    fn drop(&mut self) {
        // A process that has ended already is as dead as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start() -> Result<Product> {
    let data = tempfile::tempdir()?;
    let binary =
        std::env::var("VAULTSTREAM_BIN").context("VAULTSTREAM_BIN is not set; run `cargo xtask bench`")?;
    let begun = Instant::now();
    let mut child = Command::new(binary)
        .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data.path().join("data"))
        .env("VAULTSTREAM_LOG_FILTER", "warn")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let mut find = |prefix: &str| -> Result<String> {
        loop {
            let line = lines.next().context("the product ended")??;
            if let Some(rest) = line.strip_prefix(prefix) {
                return Ok(rest.to_owned());
            }
        }
    };
    let address = find("Vaultstream is ready at http://")?;
    let ready_ms = begun.elapsed().as_secs_f64() * 1000.0;
    find("One-time sign-in link: ")?;
    let key = std::fs::read_to_string(data.path().join("data/demo.key"))?
        .trim_end()
        .to_owned();
    Ok(Product {
        child,
        address,
        key,
        ready_ms,
        _data: data,
    })
}

fn resident_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|l| l.starts_with("VmRSS:"))
        .context("VmRSS")?;
    let kb: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kb / 1024.0)
}

async fn json_call(
    product: &Product,
    method: reqwest::Method,
    path: &str,
    etag: Option<&str>,
    body: Option<Value>,
) -> Result<(Value, Option<String>)> {
    let mut request = reqwest::Client::new()
        .request(method, format!("http://{}{path}", product.address))
        .bearer_auth(&product.key);
    if let Some(etag) = etag {
        request = request.header("if-match", etag);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await?;
    let etag = response
        .headers()
        .get("etag")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    ensure!(
        response.status().is_success(),
        "{path}: {}",
        response.text().await?
    );
    Ok((response.json().await?, etag))
}

/// Makes transfers wait for approval, and answers the demo vault that pays.
async fn prepare(product: &Product) -> Result<String> {
    let vault = loop {
        let (page, _) = json_call(product, reqwest::Method::GET, "/v1/vaults", None, None).await?;
        let found = page["items"]
            .as_array()
            .and_then(|v| v.iter().find(|v| v["name"] == "Operations"))
            .cloned();
        if let Some(vault) = found.filter(|v| v["accounts"][0]["address"].is_string()) {
            break vault;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let path = format!(
        "/v1/organizations/{}",
        vault["organizationId"].as_str().context("an id")?
    );
    let (_, etag) = json_call(product, reqwest::Method::GET, &path, None, None).await?;
    json_call(
        product,
        reqwest::Method::PATCH,
        &path,
        etag.as_deref(),
        Some(json!({ "approval": "one" })),
    )
    .await?;
    let account = format!(
        "/v1/accounts/{}",
        vault["accounts"][0]["id"].as_str().context("an id")?
    );
    loop {
        let (account, _) = json_call(product, reqwest::Method::GET, &account, None, None).await?;
        if account["balances"].as_array().is_some_and(|b| !b.is_empty()) {
            return Ok(vault["id"].as_str().context("an id")?.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn request(product: &Product, vault: &str, key: &str) -> Vec<u8> {
    let body = format!(
        "{{\"vaultId\":\"{vault}\",\"asset\":\"eip155:31337/slip44:60\",\"amount\":\"1\",\"destination\":\"{SOMEWHERE}\"}}"
    );
    format!(
        "POST /v1/transfers HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        product.address,
        product.key,
        body.len()
    )
    .into_bytes()
}

/// Sends one request and reads its whole answer; the status.
async fn exchange(stream: &mut TcpStream, bytes: &[u8], buffer: &mut Vec<u8>) -> Result<u16> {
    stream.write_all(bytes).await?;
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&buffer[..head])?;
        let length = text
            .lines()
            .find_map(|l| {
                l.split_once(": ")
                    .filter(|(n, _)| n.eq_ignore_ascii_case("content-length"))
            })
            .map_or(Ok(0), |(_, v)| v.trim().parse::<usize>())?;
        let status = text.split(' ').nth(1).context("a status")?.parse()?;
        while buffer.len() < head + 4 + length {
            ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        }
        return Ok(status);
    }
}

/// As fast as 256 connections go: acknowledged commands per second.
async fn flat_out(product: &Arc<Product>, vault: &str) -> Result<f64> {
    let (counted, counting, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut workers = Vec::new();
    for worker in 0..CONNECTIONS {
        let (product, vault) = (product.clone(), vault.to_owned());
        let (counted, counting, stop) = (counted.clone(), counting.clone(), stop.clone());
        workers.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(&product.address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = Vec::with_capacity(2_048);
            let mut n = 0u64;
            while !stop.load(Ordering::Relaxed) {
                let bytes = request(&product, &vault, &format!("flat-{worker}-{n}"));
                let status = exchange(&mut stream, &bytes, &mut buffer).await?;
                ensure!(status == 202, "{status}: {}", String::from_utf8_lossy(&buffer));
                if counting.load(Ordering::Relaxed) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                n += 1;
            }
            anyhow::Ok(())
        }));
    }
    tokio::time::sleep(WARM).await;
    counting.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(MEASURED).await;
    counting.store(false, Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await??;
    }
    Ok(counted.load(Ordering::Relaxed) as f64 / seconds)
}

/// A thousand a second on a schedule, whatever the answers do: the 99th percentile from the scheduled moment.
async fn steady(product: &Arc<Product>, vault: &str) -> Result<f64> {
    const WORKERS: u64 = 64;
    let begun = Instant::now() + Duration::from_millis(100);
    let each = STEADY_PER_SECOND * MEASURED.as_secs() / WORKERS;
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let (product, vault) = (product.clone(), vault.to_owned());
        workers.push(tokio::spawn(async move {
            let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
            let mut stream = TcpStream::connect(&product.address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = Vec::with_capacity(2_048);
            for n in 0..each {
                let due =
                    begun + Duration::from_micros((n * WORKERS + worker) * 1_000_000 / STEADY_PER_SECOND);
                tokio::time::sleep_until(due.into()).await;
                let bytes = request(&product, &vault, &format!("steady-{worker}-{n}"));
                let status = exchange(&mut stream, &bytes, &mut buffer).await?;
                ensure!(status == 202, "{status}: {}", String::from_utf8_lossy(&buffer));
                latencies.saturating_record(u64::try_from(due.elapsed().as_micros())?);
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut all = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for worker in workers {
        all.add(worker.await??)?;
    }
    Ok(all.value_at_quantile(0.99) as f64 / 1000.0)
}

/// Waits until the views have folded everything; how many events a second that was since `begun`.
async fn caught_up(product: &Product) -> Result<u64> {
    loop {
        let response = reqwest::get(format!("http://{}/health/ready", product.address)).await?;
        let body: Value = response.json().await?;
        let views = body["views"].as_array().cloned().unwrap_or_default();
        let folded = |v: &Value| v["position"].as_u64() == v["head"].as_u64();
        if !views.is_empty() && views.iter().all(folded) {
            return Ok(views
                .iter()
                .filter(|v| v["view"] == "transfers")
                .filter_map(|v| v["head"].as_u64())
                .sum());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Measures all of it.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let product = Arc::new(start()?);
    out.push(BenchLine::at_most(
        "ready after start, empty data",
        product.ready_ms,
        "ms",
        500.0,
    ));
    let vault = prepare(&product).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    out.push(BenchLine::at_most(
        "resident while idle",
        resident_mb(product.child.id())?,
        "MB",
        150.0,
    ));
    let p99 = steady(&product, &vault).await?;
    out.push(BenchLine::at_most(
        "POST /v1/transfers p99 at 1,000/s",
        p99,
        "ms",
        50.0,
    ));
    let before = caught_up(&product).await?;
    let begun = Instant::now();
    let rate = flat_out(&product, &vault).await?;
    out.push(BenchLine::at_least(
        "POST /v1/transfers acknowledged, 256 connections",
        rate,
        "1/s",
        10_000.0,
    ));
    let after = caught_up(&product).await?;
    let folded = (after - before) as f64 / begun.elapsed().as_secs_f64();
    out.push(BenchLine::at_least(
        "events folded while and after that load",
        folded,
        "1/s",
        0.0,
    ));
    Ok(())
}
