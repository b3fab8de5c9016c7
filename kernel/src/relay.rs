//! The relay: carries every shard of the log to the bus, in order.
//!
//! Invariants: what is published is the log, position by position; the cursor passes an event only when it and all
//! before it are acknowledged, so a crash at any point repeats events and never skips one. While a batch is on its way
//! the next is read, and only read: one batch of a shard is in flight, because a second could overtake a first that
//! failed. A lease keeps two relays from doing the same work; when both do, records repeat and their positions tell.
//! Nothing is given up: a bus, log, lease or note that fails is tried again, ever less often, and each time said aloud.
//!
//! Refuses to publish over a history that is not its own: a cursor beyond the log, or another hash at the cursor, rests
//! the shard and says so until somebody who knows what was restored raises the incarnation.

mod cursor;
mod lag;
mod lane;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::leases::MAX_LEASE;
use vaultstream_domain::ports::publisher::MAX_PUBLISH;
use vaultstream_domain::ports::{Clock, EventLog, Leases, Progress, Publisher, Rng, Spawn};
use vaultstream_event_schemas::ShardNumber;

use crate::observer::{Fact, Observer};

pub use lag::{Measure, RelayLag, RelayLagError};

const NAME: &str = "relay";

/// Bounds of relaying.
#[derive(Debug, Clone, Copy)]
pub struct RelayOptions {
    /// Events a batch at most; [`MAX_PUBLISH`] at most.
    pub batch: usize,
    /// Pause before the first repetition of what failed, in milliseconds; it doubles from there.
    pub retry_ms: u64,
    /// The longest pause, in milliseconds.
    pub retry_ms_max: u64,
    /// For how long a shard is leased, in milliseconds; a third of it passes between renewals.
    pub lease_ms: u64,
    /// How often a moving cursor is kept, in milliseconds; a relay at rest has kept it.
    pub save_ms: u64,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            batch: 1_000,
            retry_ms: 100,
            retry_ms_max: 10_000,
            lease_ms: 10_000,
            save_ms: 50,
        }
    }
}

/// What a relay runs on.
#[derive(Clone)]
pub struct RelayPorts {
    /// What is relayed.
    pub log: Arc<dyn EventLog>,
    /// Where to.
    pub publisher: Arc<dyn Publisher>,
    /// Keeps the cursors.
    pub progress: Arc<dyn Progress>,
    /// Says who relays a shard.
    pub leases: Arc<dyn Leases>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Spreads repetitions.
    pub rng: Arc<dyn Rng>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
}

/// Relays shards. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    ports: RelayPorts,
    options: RelayOptions,
    holder: Arc<str>,
}

/// Running relays of some shards.
pub struct Relaying(mpsc::Receiver<()>);

impl Relaying {
    /// Returns when all have ended, with their cursors kept and their leases given back.
    pub async fn ended(mut self) {
        while self.0.recv().await.is_some() {}
    }
}

/// Why a relay let go of a shard.
enum Ended {
    /// The process stops.
    Shutdown,
    /// Somebody else has the lease.
    Lost,
    /// The shard began another life.
    Reborn,
}

impl Relay {
    /// A relay that takes leases as `holder`, a name no other process has.
    pub fn new(ports: RelayPorts, options: RelayOptions, holder: &str) -> Self {
        let options = RelayOptions {
            batch: options.batch.clamp(1, MAX_PUBLISH),
            lease_ms: options
                .lease_ms
                .clamp(1, u64::try_from(MAX_LEASE.as_millis()).unwrap_or(u64::MAX)),
            ..options
        };
        Self {
            ports,
            options,
            holder: holder.into(),
        }
    }

    /// Relays the given shards, a task each, until `shutdown`.
    pub fn start(
        &self,
        shards: impl IntoIterator<Item = ShardNumber>,
        spawn: &dyn Spawn,
        shutdown: &CancellationToken,
    ) -> Relaying {
        let (running, ended) = mpsc::channel(1);
        for shard in shards {
            let (relay, shutdown, running) = (self.clone(), shutdown.clone(), running.clone());
            spawn.spawn(
                NAME,
                Box::pin(async move {
                    relay.run(shard, &shutdown).await;
                    drop(running);
                }),
            );
        }
        Relaying(ended)
    }

    /// Relays one shard until `shutdown`.
    pub async fn run(&self, shard: ShardNumber, shutdown: &CancellationToken) {
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            match self.lease(shard).await {
                Ok(true) => {
                    failures = 0;
                    match self.relay(shard, shutdown).await {
                        Ended::Shutdown => break,
                        // Perhaps it is still ours, and only more than our part of them all.
                        Ended::Lost => self.give_back(shard).await,
                        Ended::Reborn => {}
                    }
                }
                Ok(false) => self.rest(self.options.lease_ms / 3, shutdown).await,
                Err(error) => {
                    self.stalled(shard, 0, &error);
                    failures += 1;
                    self.rest(self.pause_ms(failures), shutdown).await;
                }
            }
        }
        self.give_back(shard).await;
    }

    async fn give_back(&self, shard: ShardNumber) {
        // The lease would run out by itself; giving it back only saves the next relay the wait.
        let _ = self.ports.leases.release(&note(shard), &self.holder).await;
    }

    async fn lease(&self, shard: ShardNumber) -> Result<bool, vaultstream_domain::ports::leases::LeaseError> {
        let ttl = Duration::from_millis(self.options.lease_ms);
        self.ports.leases.acquire(&note(shard), &self.holder, ttl).await
    }

    fn stalled(&self, shard: ShardNumber, position: u64, error: &(dyn std::error::Error + Send + Sync)) {
        self.ports.observer.observe(&Fact::Stalled {
            consumer: NAME,
            shard,
            position,
            error,
        });
    }

    /// The pause after so many failures in a row: doubling, at most the longest, half of it by chance, so that the
    /// relays of a broker that went away do not come back together.
    fn pause_ms(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(16);
        let whole = (self.options.retry_ms.max(1) << doublings).min(self.options.retry_ms_max.max(1));
        let mut chance = [0u8; 8];
        self.ports.rng.fill(&mut chance);
        whole / 2 + u64::from_le_bytes(chance) % (whole / 2 + 1)
    }

    async fn rest(&self, ms: u64, shutdown: &CancellationToken) {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = self.ports.clock.sleep_ms(ms.max(1)) => {}
        }
    }
}

/// The name of a shard's cursor and of its lease.
pub fn note(shard: ShardNumber) -> String {
    format!("relay/{shard}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn note_should_be_short_enough_for_every_shard() {
        assert!(super::note(vaultstream_event_schemas::ShardNumber(u16::MAX)).len() <= 128);
    }
}
