//! The sealer: a checkpoint over all shards whenever something changed, signed, linked to the one before, and kept where
//! the log is not.
//!
//! It carries one tree a shard and reads each leaf once. A restart reads the trees from notes, which are believed only
//! when they give the roots that were signed; else the shard is read again. Invariants: what is signed continues what was
//! signed; a shard that began another life is sealed on from what was kept of it, and the loss is declared. One sealer
//! seals, by lease; when two do, the list of checkpoints takes one of them.
//!
//! Refuses to sign when the log contradicts the newest checkpoint: cut, or another event where one was sealed. It says so
//! and looks again; somebody who knows what happened has to restore the log.

mod error;
mod newest;
mod recheck;
mod round;
mod tree;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::{Clock, EventLog, NoteList, Progress, SealText};
use vaultstream_event_schemas::ShardNumber;

use crate::observer::{Fact, Observer};

pub use error::SealerError;
pub use newest::{Newest, NewestCheckpoint};
pub use round::Sealing;

const NAME: &str = "sealer";
const RECHECK: &str = "recheck";
/// The shortest and the longest time between two looks for something new, in milliseconds.
const LOOKS_MS: std::ops::RangeInclusive<u64> = 25..=1_000;

/// Bounds of sealing.
#[derive(Debug, Clone, Copy)]
pub struct SealerOptions {
    /// The time between two checkpoints while something is new, in milliseconds.
    pub every_ms: u64,
    /// Leaves that are read at once.
    pub page: usize,
    /// The pause after each page when old events are read again, in milliseconds: it must not be felt.
    pub recheck_pause_ms: u64,
    /// The time between two readings of all old events, in milliseconds.
    pub recheck_every_ms: u64,
}

impl Default for SealerOptions {
    fn default() -> Self {
        Self {
            every_ms: 5_000,
            page: 5_000,
            recheck_pause_ms: 200,
            recheck_every_ms: 24 * 3_600_000,
        }
    }
}

/// What a sealer runs on.
#[derive(Clone)]
pub struct SealerPorts {
    /// What is sealed.
    pub log: Arc<dyn EventLog>,
    /// Where checkpoints are kept.
    pub checkpoints: Arc<dyn NoteList>,
    /// Signs them.
    pub seal: Arc<dyn SealText>,
    /// Keeps the trees.
    pub progress: Arc<dyn Progress>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
}

/// Seals a log. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    ports: SealerPorts,
    options: SealerOptions,
    /// Whether old events are not those that were sealed.
    is_rewritten: Arc<AtomicBool>,
}

impl Sealer {
    /// A sealer on these ports.
    pub fn new(ports: SealerPorts, options: SealerOptions) -> Self {
        Self {
            ports,
            options,
            is_rewritten: Arc::default(),
        }
    }

    /// Seals until `stop`.
    pub async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let sealing = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                sealing = self.resume() => sealing,
            };
            let error = match sealing {
                Ok(sealing) => {
                    self.ports.observer.observe(&Fact::SealStands { by: NAME });
                    self.rounds(sealing, stop).await
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                self.say(NAME, &error);
                self.rest(self.options.every_ms.max(1), stop).await;
            }
        }
    }

    /// Rounds until one fails or the process stops. A round that has begun to sign is finished. Between them the trees
    /// follow the log, so closely that what they read is still in its memory: old events would be read from a disk that
    /// appends need.
    async fn rounds(&self, mut sealing: Sealing<'_>, stop: &CancellationToken) -> Option<SealerError> {
        loop {
            if let Err(error) = self.unless_rewritten(sealing.round()).await {
                return Some(error);
            }
            let (mut left, mut pause) = (self.options.every_ms.max(1), *LOOKS_MS.end());
            while left > 0 {
                pause = pause.min(left);
                self.rest(pause, stop).await;
                if stop.is_cancelled() {
                    return None;
                }
                left -= pause;
                match self.unless_rewritten(sealing.follow()).await {
                    Ok(events) => pause = pause_after(pause, events.unwrap_or(0), self.options.page),
                    Err(error) => return Some(error),
                }
            }
        }
    }

    /// Nothing is added to what somebody has to look at first.
    async fn unless_rewritten<T>(
        &self,
        work: impl Future<Output = Result<T, SealerError>>,
    ) -> Result<Option<T>, SealerError> {
        if self.is_rewritten.load(Ordering::Acquire) {
            return Ok(None);
        }
        work.await.map(Some)
    }

    async fn rest(&self, ms: u64, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.ports.clock.sleep_ms(ms) => {}
        }
    }

    fn say(&self, by: &'static str, error: &SealerError) {
        let observer = &self.ports.observer;
        let refused = |shard, position| {
            let why = Causes(error).to_string();
            observer.observe(&Fact::SealRefused {
                by,
                shard,
                position,
                why: &why,
            });
        };
        match error {
            SealerError::Contradiction { shard, position, .. } => refused(*shard, *position),
            SealerError::Foreign { .. } => refused(ShardNumber(0), 0),
            // The next look begins from what is there now.
            SealerError::Reborn(_) => {}
            _ => observer.observe(&Fact::Stalled {
                consumer: by,
                shard: ShardNumber(0),
                position: 0,
                error,
            }),
        }
    }
}

/// The pause after which half a page of leaves is expected, after one that brought `events`; in milliseconds.
fn pause_after(pause_ms: u64, events: u64, page: usize) -> u64 {
    let expected = pause_ms.saturating_mul(page as u64 / 2) / events.max(1);
    expected.clamp(*LOOKS_MS.start(), *LOOKS_MS.end())
}

#[cfg(test)]
mod tests {
    use super::pause_after;

    #[test]
    fn looks_should_be_as_close_as_events_come() {
        assert_eq!(pause_after(1_000, 0, 5_000), 1_000);
        assert_eq!(
            pause_after(1_000, 1_000, 5_000),
            1_000,
            "one that is quiet stays slow"
        );
        assert_eq!(pause_after(1_000, 25_000, 5_000), 100);
        assert_eq!(pause_after(100, 2_500, 5_000), 100);
        assert_eq!(pause_after(100, 80_000, 5_000), 25);
        assert_eq!(pause_after(25, 10, 5_000), 1_000);
    }
}
