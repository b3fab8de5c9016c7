//! One shard, followed: apply `last + 1`, drop `≤ last`, refill a hole.

use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

use super::{Batch, Mark, TailError, Tailer};
use crate::observer::Fact;

const NAME: &str = "follower";

/// Follows one shard. Its place moves with what it gives; keep the mark of a batch once its effects are durable.
pub struct Follower {
    tailer: Tailer,
    mark: Mark,
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
        Ok(Self { tailer, mark })
    }

    /// Starts at a mark, when the log still has its history.
    pub(super) async fn resume(tailer: Tailer, mark: Mark) -> Result<Self, TailError> {
        let (shard, position) = (mark.shard, mark.position);
        let head = head(&tailer, &mark).await?;
        if head.incarnation != mark.incarnation {
            let (actual, known) = (head.incarnation, mark.incarnation);
            return Err(TailError::Incarnation { shard, actual, known });
        }
        let mut follower = Self { tailer, mark };
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
        let fetched = loop {
            match self
                .tailer
                .bus
                .fetch(self.mark.shard, self.mark.position, limit)
                .await
            {
                Ok(records) => break records,
                Err(error) => self.unless_damaged(error).await?,
            }
        };
        let mut events: Vec<StoredEvent> = Vec::with_capacity(fetched.len());
        for record in fetched {
            self.check(&record)?;
            if record.position > self.mark.position + 1 {
                self.refill(&mut events, record.position).await?;
            }
            if record.position == self.mark.position + 1 {
                self.take(&mut events, record);
            }
        }
        Ok((!events.is_empty()).then_some(Batch {
            events,
            mark: self.mark,
        }))
    }

    fn take(&mut self, events: &mut Vec<StoredEvent>, event: StoredEvent) {
        self.mark.position = event.position;
        self.mark.hash = Some(event.hash);
        events.push(event);
    }

    /// Reads what is missing below `beyond` from the log, at most a batch; the rest comes with the next fetch.
    async fn refill(&mut self, events: &mut Vec<StoredEvent>, beyond: u64) -> Result<(), TailError> {
        let from = self.mark.position + 1;
        let missing = usize::try_from(beyond - from).unwrap_or(usize::MAX);
        let read = self
            .read_log(self.mark.position, missing.min(self.tailer.options.batch.max(1)))
            .await?;
        if read.is_empty() {
            // The bus has seen what the log does not have: this is not the log it was fed from.
            return Err(TailError::History {
                shard: self.mark.shard,
                position: from,
            });
        }
        self.tailer.observer.observe(&Fact::Refilled {
            shard: self.mark.shard,
            from,
            events: read.len(),
        });
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
        Ok(())
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
