//! Scan, then live: follows a shard from a position on, over the bus, and fills the bus's holes from the log.
//!
//! Invariants: what a follower gives is dense and in order: it takes `last + 1`, drops `≤ last`, and reads from the log
//! what is missing in front of a record beyond `last + 1`. It starts only on its own history: the incarnation, and the
//! hash at the position it stands at, must be the log's. Refuses to go on when the shard's life changes or another
//! hash stands at a known position; its consumer has to be rebuilt. An engine that does not answer is asked again.

mod follower;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::{Bus, Clock, EventLog, Spawn};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::{Hash, StoredEvent};
use vaultstream_event_schemas::token::Place;

pub use follower::Follower;

use crate::observer::Observer;

/// Where a consumer has come to in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The shard.
    pub shard: ShardNumber,
    /// The life of the shard it followed.
    pub incarnation: u32,
    /// The last position it has taken; 0 before the first event.
    pub position: u64,
    /// The hash of the event at that position, when it is known.
    pub hash: Option<Hash>,
}

impl Mark {
    /// Before the first event of a shard in its first life.
    pub const fn start(shard: ShardNumber) -> Self {
        Self {
            shard,
            incarnation: 1,
            position: 0,
            hash: None,
        }
    }

    /// A place of a token or a watermark.
    pub const fn at(shard: ShardNumber, place: Place) -> Self {
        Self {
            shard,
            incarnation: place.incarnation,
            position: place.position,
            hash: None,
        }
    }

    /// This mark as a place.
    pub const fn place(&self) -> Place {
        Place {
            incarnation: self.incarnation,
            position: self.position,
        }
    }
}

/// Events of one shard, in order, dense, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Where whoever has taken them stands.
    pub mark: Mark,
}

/// Why a follower cannot go on. Engines that fail are asked again; these are for ever.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The registry does not have the shard.
    #[error("shard {0} is not in the registry")]
    Unknown(ShardNumber),
    /// The shard lives another life.
    #[error(
        "shard {shard} is in incarnation {actual} and was followed in {known}; what followed it must be rebuilt"
    )]
    Incarnation {
        /// The shard.
        shard: ShardNumber,
        /// The incarnation of the log.
        actual: u32,
        /// The incarnation of the mark.
        known: u32,
    },
    /// The log does not have the history that was followed.
    #[error(
        "position {position} of shard {shard} is not what was followed; what followed it must be rebuilt"
    )]
    History {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
    /// The log has an event that cannot be read.
    #[error("shard {shard} cannot be read beyond position {position}")]
    Damaged {
        /// The shard.
        shard: ShardNumber,
        /// The last good position.
        position: u64,
        /// Why.
        #[source]
        source: LogError,
    },
}

/// Bounds of following.
#[derive(Debug, Clone, Copy)]
pub struct TailOptions {
    /// Events a batch at most.
    pub batch: usize,
    /// Pause before an engine or a consumer is asked again, in milliseconds.
    pub pause_ms: u64,
    /// Batches that wait for a slow reader of [`Tailer::follow_all`].
    pub backlog: usize,
}

impl Default for TailOptions {
    fn default() -> Self {
        Self {
            batch: 500,
            pause_ms: 250,
            backlog: 16,
        }
    }
}

/// Follows shards. Cheap to clone.
#[derive(Clone)]
pub struct Tailer {
    bus: Arc<dyn Bus>,
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    options: TailOptions,
}

impl Tailer {
    /// Follows over `bus`, refills from `log`.
    pub fn new(
        bus: Arc<dyn Bus>,
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        options: TailOptions,
    ) -> Self {
        Self {
            bus,
            log,
            clock,
            observer,
            options,
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }
    pub(crate) const fn options(&self) -> &TailOptions {
        &self.options
    }

    /// Follows a shard from a mark on, after a look whether it is still the same history.
    pub async fn follow(&self, mark: Mark) -> Result<Follower, TailError> {
        Follower::resume(self.clone(), mark).await
    }

    /// Follows a shard from its first event on, whatever life it is in.
    pub async fn follow_from_start(&self, shard: ShardNumber) -> Result<Follower, TailError> {
        Follower::start(self.clone(), shard, 0).await
    }

    /// Follows a shard from its newest event on: what happens from now.
    pub async fn follow_from_now(&self, shard: ShardNumber) -> Result<Follower, TailError> {
        Follower::start(self.clone(), shard, u64::MAX).await
    }

    /// Follows several shards at once and merges them as they come: in order within a shard, in no order between
    /// shards. A follower that cannot go on sends its error and ends; a reader that goes away ends them all.
    pub fn follow_all(
        &self,
        marks: Vec<Mark>,
        spawn: &dyn Spawn,
        shutdown: &CancellationToken,
    ) -> mpsc::Receiver<Result<Batch, TailError>> {
        let (sender, receiver) = mpsc::channel(self.options.backlog.max(1));
        for mark in marks {
            let (tailer, sender, shutdown) = (self.clone(), sender.clone(), shutdown.clone());
            spawn.spawn(
                "follow",
                Box::pin(async move {
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => {}
                        () = sender.closed() => {}
                        () = forward(&tailer, mark, &sender) => {}
                    }
                }),
            );
        }
        receiver
    }
}

async fn forward(tailer: &Tailer, mark: Mark, sender: &mpsc::Sender<Result<Batch, TailError>>) {
    let end = match tailer.follow(mark).await {
        Ok(mut follower) => loop {
            match follower.next().await {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    if sender.send(Ok(batch)).await.is_err() {
                        return;
                    }
                }
                Err(error) => break error,
            }
        },
        Err(error) => error,
    };
    // A reader that went away does not want to know.
    let _ = sender.send(Err(end)).await;
}
