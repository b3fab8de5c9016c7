//! The payer: approves one of the newest transfers again and again, so that the chain moves money while things are killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tokio::task::JoinHandle;
use vaultstream_client::ClientError;
use vaultstream_client::http::Client;
use vaultstream_event_schemas::TransferStatus;

use crate::load::Seen;

/// The pause between payments.
const EVERY: Duration = Duration::from_millis(700);
const LOOK: Duration = Duration::from_millis(50);
/// How long a decision or a payment may take, outages included.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where commands and reads are answered.
#[derive(Clone)]
pub struct Doors {
    /// Commands.
    pub commands: Client,
    /// Reads.
    pub reads: Client,
}

/// The payer, running.
pub struct Payer {
    stop: Arc<AtomicBool>,
    working: JoinHandle<Result<BTreeMap<String, String>>>,
}

impl Payer {
    /// Approves what the load got acknowledged.
    pub fn start(doors: Doors, seen: Arc<Seen>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let working = tokio::spawn({
            let stop = stop.clone();
            async move {
                let mut paid = BTreeMap::new();
                while !stop.load(Ordering::SeqCst) {
                    if let Some(newest) = seen.newest()
                        && !paid.contains_key(&newest.id)
                    {
                        approve(&doors, &newest.id).await?;
                        paid.insert(newest.id, newest.destination);
                    }
                    tokio::time::sleep(EVERY).await;
                }
                Ok(paid)
            }
        });
        Self { stop, working }
    }

    /// Stops approving; where each approved transfer goes.
    pub async fn end(self) -> Result<BTreeMap<String, String>> {
        self.stop.store(true, Ordering::SeqCst);
        self.working.await?
    }
}

/// Approves one, however often somebody dies meanwhile: what was decided is read, not guessed.
async fn approve(doors: &Doors, id: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        ensure!(begun.elapsed() < PATIENCE, "{id} cannot be approved");
        let Ok(read) = doors.reads.transfer(id).await else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        match (read.body.status, read.etag) {
            (TransferStatus::Requested | TransferStatus::Screening, _) => {}
            (TransferStatus::AwaitingApproval, Some(etag)) => {
                match doors.commands.decide_transfer(id, "approve", &etag, None).await {
                    Ok(_) => return Ok(()),
                    Err(ClientError::Refused(problem)) if problem.status < 500 && problem.status != 412 => {
                        bail!("{id}: {problem:?}")
                    }
                    Err(_) => {}
                }
            }
            (TransferStatus::AwaitingApproval, None) => bail!("{id} has no ETag"),
            // The decision whose answer was lost.
            _ => return Ok(()),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until each is over.
pub async fn all_over<'a>(reads: &Client, ids: impl IntoIterator<Item = &'a String>) -> Result<()> {
    let begun = Instant::now();
    for id in ids {
        loop {
            let read = reads.transfer(id).await;
            if read.as_ref().is_ok_and(|t| t.body.status.is_terminal()) {
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "{id} does not end: {read:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}
