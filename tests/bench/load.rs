//! The load generator of every row that goes through HTTP: requests made beforehand as bytes, over plain TCP in this
//! process, so that it takes as little of the two cores as it can.
//!
//! Three ways to ask: as fast as so many connections go, on a schedule whatever the answers do, and all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;

/// The bytes of request `n` of a worker.
pub type Make = Arc<dyn Fn(u64, u64) -> Vec<u8> + Send + Sync>;

/// Whom requests go to, what they are, and which status answers them well.
#[derive(Clone)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// What is asked.
    pub make: Make,
    /// The one good answer.
    pub status: u16,
}

/// A GET under a key.
pub fn get(address: &str, key: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n").into_bytes()
}

/// A POST of JSON under a key and an Idempotency-Key.
pub fn post(address: &str, key: &str, path: &str, idempotency: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         idempotency-key: {idempotency}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection that is kept open.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: usize,
}

impl Connection {
    async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            body: 0,
        })
    }

    /// Sends one request and reads its whole answer; the status.
    async fn exchange(&mut self, bytes: &[u8]) -> Result<u16> {
        self.stream.write_all(bytes).await?;
        self.buffer.clear();
        loop {
            self.more().await?;
            let Some(head) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
                continue;
            };
            let text = std::str::from_utf8(&self.buffer[..head])?;
            let length = text
                .lines()
                .find_map(|l| {
                    l.split_once(": ")
                        .filter(|(n, _)| n.eq_ignore_ascii_case("content-length"))
                })
                .map_or(Ok(0), |(_, v)| v.trim().parse::<usize>())?;
            let status = text.split(' ').nth(1).context("a status")?.parse()?;
            self.body = head + 4;
            while self.buffer.len() < self.body + length {
                self.more().await?;
            }
            return Ok(status);
        }
    }

    async fn more(&mut self) -> Result<()> {
        ensure!(
            self.stream.read_buf(&mut self.buffer).await? > 0,
            "the connection was closed"
        );
        Ok(())
    }

    fn body(&self) -> &[u8] {
        &self.buffer[self.body..]
    }

    /// Asks, and insists on the good answer.
    async fn ask(&mut self, target: &Target, worker: u64, n: u64) -> Result<()> {
        let status = self.exchange(&(target.make)(worker, n)).await?;
        ensure!(
            status == target.status,
            "{status}: {}",
            String::from_utf8_lossy(self.body())
        );
        Ok(())
    }
}

/// As fast as so many connections go: good answers a second, and all that were given.
pub async fn flat_out(
    target: &Target,
    connections: u64,
    warm: Duration,
    measured: Duration,
) -> Result<(f64, u64)> {
    let (counted, total) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counting, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut workers = JoinSet::new();
    for worker in 0..connections {
        let target = target.clone();
        let (counted, total) = (counted.clone(), total.clone());
        let (counting, stop) = (counting.clone(), stop.clone());
        workers.spawn(async move {
            let mut connection = Connection::open(&target.address).await?;
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                connection.ask(&target, worker, n).await?;
                if counting.load(Ordering::Relaxed) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                total.fetch_add(1, Ordering::Relaxed);
                n += 1;
            }
            anyhow::Ok(())
        });
    }
    tokio::time::sleep(warm).await;
    counting.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(measured).await;
    counting.store(false, Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok((
        as_f64(counted.load(Ordering::Relaxed)) / seconds,
        total.load(Ordering::Relaxed),
    ))
}

/// So many a second on a schedule, whatever the answers do: the 99th percentile from the scheduled moment, in ms.
pub async fn steady(target: &Target, per_second: u64, measured: Duration) -> Result<f64> {
    const WORKERS: u64 = 64;
    let begun = Instant::now() + Duration::from_millis(100);
    let each = per_second * measured.as_secs() / WORKERS;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let target = target.clone();
        workers.spawn(async move {
            let mut latencies = histogram()?;
            let mut connection = Connection::open(&target.address).await?;
            for n in 0..each {
                let due = begun + Duration::from_micros((n * WORKERS + worker) * 1_000_000 / per_second);
                tokio::time::sleep_until(due.into()).await;
                connection.ask(&target, worker, n).await?;
                latencies.saturating_record(u64::try_from(due.elapsed().as_micros())?);
            }
            anyhow::Ok(latencies)
        });
    }
    let mut all = histogram()?;
    while let Some(worker) = workers.join_next().await {
        all.add(worker??)?;
    }
    Ok(p99_ms(&all))
}

/// What came of asking all at once.
pub struct AtOnce {
    /// Bodies of good answers.
    pub good: Vec<Vec<u8>>,
    /// What else came, or did not come, and why.
    pub bad: Vec<String>,
    /// From the moment all could send to the last answer.
    pub took: Duration,
}

/// Opens so many connections, then sends one request over each at the same moment.
pub async fn at_once(target: &Target, count: u64) -> Result<AtOnce> {
    const OPENING: usize = 256;
    let opening = Arc::new(Semaphore::new(OPENING));
    let start = Arc::new(Barrier::new(usize::try_from(count)? + 1));
    let mut callers = JoinSet::new();
    for caller in 0..count {
        let (target, opening, start) = (target.clone(), opening.clone(), start.clone());
        callers.spawn(async move {
            let connection = {
                let _turn = opening.acquire().await;
                Connection::open(&target.address).await
            };
            // Nobody may be missing at the barrier.
            start.wait().await;
            let mut connection = connection?;
            connection.ask(&target, caller, 0).await?;
            anyhow::Ok(connection.body().to_vec())
        });
    }
    start.wait().await;
    let begun = Instant::now();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(caller) = callers.join_next().await {
        match caller? {
            Ok(body) => good.push(body),
            Err(error) => bad.push(format!("{error:#}")),
        }
    }
    Ok(AtOnce {
        good,
        bad,
        took: begun.elapsed(),
    })
}

/// Microseconds up to a minute.
pub fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// The 99th percentile of microseconds, in milliseconds.
pub fn p99_ms(latencies: &Histogram<u64>) -> f64 {
    Duration::from_micros(latencies.value_at_quantile(0.99)).as_secs_f64() * 1_000.0
}

/// A count of a bench.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
pub const fn as_f64(count: u64) -> f64 {
    count as f64
}
