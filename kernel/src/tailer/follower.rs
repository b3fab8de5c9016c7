//! One shard, followed: apply `last + 1`, drop `≤ last`, refill a hole.
//!
//! The log is the truth and the bus a short cut to it. In front of a hole the bus's records wait while the log is read
//! up to them, a batch at a time, however long that takes. When the bus fails, or has been silent for a while, the log
//! is looked at: a bus that lost its newest record, or is gone, delays a follower and never stops it.

use std::collections::VecDeque;

use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

use super::{Batch, Mark, TailError, Tailer};
use crate::observer::Fact;

const NAME: &str = "follower";
/// Empty fetches, of about a second each, before the log is asked whether the bus is right. The first one asks.
const QUIET: u32 = 15;

/// Follows one shard. Its place moves with what it gives; keep the mark of a batch once its effects are durable.
pub struct Follower {
    tailer: Tailer,
    mark: Mark,
    /// Records of the bus that were fetched and not yet reached; at most one fetch.
    held: VecDeque<StoredEvent>,
    /// Empty fetches in a row.
    quiet: u32,
}

impl Follower {
    /// Starts at the beginning, or at the head when `position` is beyond it.
    pub(super) async fn start(tailer: Tailer, shard: ShardNumber, position: u64) -> Result<Self, TailError> {
        let mut mark = Mark {
            position,
            ..Mark::start(shard)
        };
        let head = head(&tailer, &mark).await?;
        mark.incarnation = head.incarnation;
        mark.position = position.min(head.position);
        Ok(Self::new(tailer, mark))
    }

    const fn new(tailer: Tailer, mark: Mark) -> Self {
        Self {
            tailer,
            mark,
            held: VecDeque::new(),
            quiet: QUIET - 1,
        }
    }

    /// Starts at a mark, when the log still has its history.
    pub(super) async fn resume(tailer: Tailer, mark: Mark) -> Result<Self, TailError> {
        let (shard, position) = (mark.shard, mark.position);
        let head = head(&tailer, &mark).await?;
        if head.incarnation != mark.incarnation {
            let (actual, known) = (head.incarnation, mark.incarnation);
            return Err(TailError::Incarnation { shard, actual, known });
        }
        let mut follower = Self::new(tailer, mark);
        if let (Some(hash), Some(before)) = (mark.hash, position.checked_sub(1)) {
            let at = follower.read_log(before, 1).await?;
            if at
                .first()
                .is_none_or(|event| event.position != position || event.hash != hash)
            {
                return Err(TailError::History { shard, position });
            }
        } else if head.position < position {
            return Err(TailError::History { shard, position });
        }
        follower.mark = mark;
        Ok(follower)
    }

    /// Where it stands.
    pub const fn mark(&self) -> &Mark {
        &self.mark
    }

    /// The next events; `None` when none came for up to a second.
    pub async fn next(&mut self) -> Result<Option<Batch>, TailError> {
        let limit = self.tailer.options.batch.max(1);
        let mut events: Vec<StoredEvent> = Vec::new();
        if self.held.is_empty() {
            let (shard, position) = (self.mark.shard, self.mark.position);
            match self.tailer.bus.fetch(shard, position, limit).await {
                Ok(records) => self.held.extend(records),
                Err(error) => {
                    self.unless_damaged(error).await?;
                    self.read_on(&mut events, limit).await?;
                }
            }
            if self.held.is_empty() && events.is_empty() {
                self.quiet += 1;
                if self.quiet >= QUIET {
                    self.quiet = 0;
                    self.read_on(&mut events, limit).await?;
                }
            } else {
                self.quiet = 0;
            }
        }
        self.take_held(&mut events, limit).await?;
        Ok((!events.is_empty()).then_some(Batch {
            events,
            mark: self.mark,
        }))
    }

    /// Takes held records while they follow, and reads the log up to those that do not.
    async fn take_held(&mut self, events: &mut Vec<StoredEvent>, limit: usize) -> Result<(), TailError> {
        let (mut taken, mut duplicate) = (0, 0);
        while events.len() < limit {
            let Some(record) = self.held.pop_front() else {
                break;
            };
            self.check(&record)?;
            if record.position > self.mark.position + 1 {
                self.refill(events, record.position, limit - events.len()).await?;
            }
            if record.position > self.mark.position + 1 || events.len() == limit {
                self.held.push_front(record);
                break;
            }
            if record.position == self.mark.position + 1 {
                taken += 1;
                self.take(events, record);
            } else {
                duplicate += 1;
            }
        }
        if taken + duplicate > 0 {
            self.tailer.observer.observe(&Fact::Fetched { taken, duplicate });
        }
        Ok(())
    }

    fn take(&mut self, events: &mut Vec<StoredEvent>, event: StoredEvent) {
        self.mark.position = event.position;
        self.mark.hash = Some(event.hash);
        events.push(event);
    }

    /// Reads what is missing below `beyond` from the log, at most `room` events.
    async fn refill(
        &mut self,
        events: &mut Vec<StoredEvent>,
        beyond: u64,
        room: usize,
    ) -> Result<(), TailError> {
        let from = self.mark.position + 1;
        let missing = usize::try_from(beyond - from).unwrap_or(usize::MAX);
        if self.read_on(events, missing.min(room)).await? == 0 {
            // The bus has seen what the log does not have: this is not the log it was fed from.
            return Err(TailError::History {
                shard: self.mark.shard,
                position: from,
            });
        }
        Ok(())
    }

    /// Goes on from the log, by at most `limit` events, and says by how many.
    async fn read_on(&mut self, events: &mut Vec<StoredEvent>, limit: usize) -> Result<usize, TailError> {
        let from = self.mark.position + 1;
        let read = self.read_log(self.mark.position, limit).await?;
        let count = read.len();
        for event in read {
            self.check(&event)?;
            if event.position != self.mark.position + 1 {
                return Err(TailError::History {
                    shard: self.mark.shard,
                    position: event.position,
                });
            }
            self.take(events, event);
        }
        if count > 0 {
            self.tailer.observer.observe(&Fact::Refilled {
                shard: self.mark.shard,
                from,
                events: count,
            });
        }
        Ok(count)
    }

    fn check(&self, event: &StoredEvent) -> Result<(), TailError> {
        let (shard, known) = (self.mark.shard, self.mark.incarnation);
        let actual = event.envelope.incarnation;
        if actual > known {
            return Err(TailError::Incarnation { shard, actual, known });
        }
        let contradicts =
            event.position == self.mark.position && self.mark.hash.is_some_and(|h| h != event.hash);
        if contradicts || event.envelope.shard != shard {
            return Err(TailError::History {
                shard,
                position: event.position,
            });
        }
        Ok(())
    }

    /// A bus that reads the log meets the log's damage; that is for ever, all else is asked again.
    async fn unless_damaged(&self, error: BusError) -> Result<(), TailError> {
        let BusError { doing, source } = error;
        match source.downcast::<LogError>() {
            Ok(source) if matches!(*source, LogError::Damaged { .. }) => {
                let (shard, position) = (self.mark.shard, self.mark.position);
                Err(TailError::Damaged {
                    shard,
                    position,
                    source: *source,
                })
            }
            Ok(source) => {
                self.stalled(&BusError { doing, source }).await;
                Ok(())
            }
            Err(source) => {
                self.stalled(&BusError { doing, source }).await;
                Ok(())
            }
        }
    }

    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, TailError> {
        loop {
            match self.tailer.log.read_shard(self.mark.shard, after, limit).await {
                Ok(events) => return Ok(events),
                Err(source @ LogError::Damaged { .. }) => {
                    return Err(TailError::Damaged {
                        shard: self.mark.shard,
                        position: after,
                        source,
                    });
                }
                Err(error) => self.stalled(&error).await,
            }
        }
    }

    async fn stalled(&self, error: &(dyn std::error::Error + Send + Sync)) {
        stalled(&self.tailer, &self.mark, error).await;
    }
}

async fn head(tailer: &Tailer, mark: &Mark) -> Result<Head, TailError> {
    loop {
        match tailer.log.heads().await {
            Ok(heads) => {
                return heads
                    .get(&mark.shard)
                    .copied()
                    .ok_or(TailError::Unknown(mark.shard));
            }
            Err(error) => stalled(tailer, mark, &error).await,
        }
    }
}

async fn stalled(tailer: &Tailer, mark: &Mark, error: &(dyn std::error::Error + Send + Sync)) {
    let (shard, position) = (mark.shard, mark.position);
    tailer.observer.observe(&Fact::Stalled {
        consumer: NAME,
        shard,
        position,
        error,
    });
    tailer.clock.sleep_ms(tailer.options.pause_ms).await;
}
