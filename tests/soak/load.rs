//! The load: transfers asked for on a schedule, each under a key of its own that is sent again until it is acknowledged.
//!
//! Every transfer goes to an address of its own, so that the chain tells who was paid how often. They wait for an approval,
//! which the payer gives to some.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;
use vaultstream_client::http::Client;
use vaultstream_client::{ClientError, RequestTransfer};

/// Who asks at the same time.
const WORKERS: u64 = 48;
/// The pause before a key is sent again.
const AGAIN: Duration = Duration::from_millis(20);
/// How long one command may remain without an acknowledgement.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is paid, in wei.
pub const WEI: u128 = 1;

/// What was acknowledged.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// The transfer.
    pub id: String,
    /// Where it goes.
    pub destination: String,
}

/// What the load has seen.
#[derive(Default)]
pub struct Seen {
    acknowledged: Mutex<Vec<Acknowledged>>,
    refusals: Mutex<BTreeMap<String, u64>>,
    /// The first acknowledgement since it was last taken away.
    first: Mutex<Option<Instant>>,
    asked: AtomicU64,
    stop: AtomicBool,
}

/// The load, running.
pub struct Load {
    /// What it has seen so far.
    pub seen: Arc<Seen>,
    workers: JoinSet<Result<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// How many commands were acknowledged.
    pub fn count(&self) -> usize {
        lock(&self.acknowledged).len()
    }

    /// One of the newest.
    pub fn newest(&self) -> Option<Acknowledged> {
        lock(&self.acknowledged).last().cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Acknowledged> {
        lock(&self.acknowledged).clone()
    }

    /// What was refused or lost on the way, by code.
    pub fn refusals(&self) -> BTreeMap<String, u64> {
        lock(&self.refusals).clone()
    }

    /// Forgets when the first was acknowledged: something was just killed.
    pub fn killed(&self) {
        *lock(&self.first) = None;
    }

    /// When the first was acknowledged since.
    pub fn first(&self) -> Option<Instant> {
        *lock(&self.first)
    }

    fn acknowledge(&self, id: String, destination: String) {
        lock(&self.first).get_or_insert_with(Instant::now);
        lock(&self.acknowledged).push(Acknowledged { id, destination });
    }

    fn refused(&self, why: &str) {
        *lock(&self.refusals).entry(why.to_owned()).or_default() += 1;
    }
}

impl Load {
    /// Asks `rate` times a second, from a vault; `body` is what each request has in common.
    pub fn start(client: &Client, body: &RequestTransfer, rate: u32, seed: u64) -> Self {
        let seen = Arc::new(Seen::default());
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (client, body, seen) = (client.clone(), body.clone(), seen.clone());
            let every = Duration::from_secs(WORKERS) / rate;
            workers.spawn(async move { work(&client, body, &seen, every, seed).await });
        }
        Self { seen, workers }
    }

    /// Whether somebody gave up, and why.
    pub async fn check(&mut self) -> Result<()> {
        match self.workers.try_join_next() {
            Some(ended) => ended?.context("the load ended"),
            None => Ok(()),
        }
    }

    /// Stops asking, and waits until everything that was asked for is acknowledged.
    pub async fn end(mut self) -> Result<Arc<Seen>> {
        self.seen.stop.store(true, Ordering::SeqCst);
        while let Some(worker) = self.workers.join_next().await {
            worker??;
        }
        let asked = self.seen.asked.load(Ordering::SeqCst);
        ensure!(
            self.seen.count() as u64 == asked,
            "{} of {asked} acknowledged",
            self.seen.count()
        );
        Ok(self.seen)
    }
}

async fn work(
    client: &Client,
    mut body: RequestTransfer,
    seen: &Seen,
    every: Duration,
    seed: u64,
) -> Result<()> {
    let mut due = Instant::now();
    while !seen.stop.load(Ordering::SeqCst) {
        let n = seen.asked.fetch_add(1, Ordering::SeqCst);
        body.destination = format!("0x{seed:016x}{n:024x}");
        let id = until_acknowledged(client, &body, &format!("soak-{seed}-{n}"), seen).await?;
        seen.acknowledge(id, body.destination.clone());
        // What could not be sent in time is not sent all at once afterwards.
        due = (due + every).max(Instant::now());
        tokio::time::sleep_until(due.into()).await;
    }
    Ok(())
}

async fn until_acknowledged(
    client: &Client,
    body: &RequestTransfer,
    key: &str,
    seen: &Seen,
) -> Result<String> {
    let begun = Instant::now();
    loop {
        let why = match client.request_transfer(body, key).await {
            Ok(answer) => return Ok(answer.body.id.to_string()),
            Err(ClientError::Refused(problem)) if problem.status >= 500 || problem.status == 429 => {
                problem.code.as_str().to_owned()
            }
            Err(ClientError::Unreachable(_)) => "unreachable".to_owned(),
            Err(ClientError::Connection(_)) => "no answer".to_owned(),
            Err(error) => bail!("{key}: {error}"),
        };
        seen.refused(&why);
        ensure!(begun.elapsed() < PATIENCE, "{key} is not acknowledged: {why}");
        tokio::time::sleep(AGAIN).await;
    }
}
