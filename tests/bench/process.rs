//! The product as a process: its binary, what it says when it is ready, and what it takes of the machine.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How long views may take to fold a million events.
const FOLDING: Duration = Duration::from_secs(1_200);

/// A process of the product that ends with its owner.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already is as dead as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program the environment names; `cargo xtask bench` sets these.
pub fn program(variable: &str) -> Result<PathBuf> {
    let path =
        std::env::var(variable).with_context(|| format!("{variable} is not set; run `cargo xtask bench`"))?;
    Ok(PathBuf::from(path))
}

impl Process {
    /// Starts it; what it says on standard error goes to a file.
    pub fn start(mut command: Command, said: PathBuf) -> Result<Self> {
        let mut child = command
            .env("VAULTSTREAM_LOG_FILTER", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&said)?)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let lines = BufReader::new(child.stdout.take().context("piped")?).lines();
        Ok(Self { child, lines, said })
    }

    /// What follows on the first line that begins so.
    pub fn line(&mut self, prefix: &str) -> Result<String> {
        loop {
            let Some(line) = self.lines.next() else {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                anyhow::bail!("the product ended before it said {prefix:?}: {said}");
            };
            if let Some(rest) = line?.strip_prefix(prefix) {
                return Ok(rest.to_owned());
            }
        }
    }

    /// Waits until it ends well.
    pub fn ended(mut self) -> Result<()> {
        let status = self.child.wait()?;
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        ensure!(status.success(), "the product ended with {status}: {said}");
        Ok(())
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds, in MB.
    pub fn resident_mb(&self) -> Result<f64> {
        memory_mb(self.id(), "VmRSS:")
    }

    /// The most it has held, in MB.
    pub fn peak_mb(&self) -> Result<f64> {
        memory_mb(self.id(), "VmHWM:")
    }
}

fn memory_mb(pid: u32, field: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|l| l.starts_with(field)).context("a field")?;
    let kb: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kb / 1024.0)
}

/// CPU that a process has taken so far, its threads together; none once it is gone.
pub fn cpu(pid: u32) -> Duration {
    // Linux counts in hundredths of a second wherever programs can see it.
    const TICK: Duration = Duration::from_millis(10);
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return Duration::ZERO;
    };
    // The name, in parentheses, may hold spaces; the 14th and 15th fields are user and system time.
    let ticks = stat.rsplit_once(") ").map_or(0, |(_, fields)| {
        let times = fields.split(' ').skip(11).take(2);
        times.filter_map(|t| t.parse::<u32>().ok()).sum()
    });
    TICK * ticks
}

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
