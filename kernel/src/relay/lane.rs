//! One shard on its way: read, publish, advance; the next batch is read while this one is acknowledged.

use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

use super::cursor::CursorError;
use super::{Ended, Relay};
use crate::observer::Fact;
use crate::tailer::Mark;
use crate::trace;

/// A shard that is being relayed. Times are microseconds of the clock.
struct Lane<'a> {
    relay: &'a Relay,
    cursor: Mark,
    /// What the note says, as far as is known.
    kept: Mark,
    kept_at: i64,
    leased_at: i64,
    failures: u32,
}

impl Relay {
    /// Relays a leased shard until it has to let go.
    pub(super) async fn relay(&self, shard: ShardNumber, shutdown: &CancellationToken) -> Ended {
        let leased_at = self.now();
        let Some(mut lane) = self.lane(shard, leased_at, shutdown).await else {
            return if shutdown.is_cancelled() {
                Ended::Shutdown
            } else {
                Ended::Lost
            };
        };
        let ended = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ended::Shutdown,
            ended = lane.carry() => ended,
        };
        // What is in flight now may be on the bus; the cursor only covers what was acknowledged.
        lane.keep().await;
        ended
    }

    fn now(&self) -> i64 {
        self.ports.clock.now().as_micros()
    }

    /// Finds the place to begin, as long as that takes and the lease lasts.
    async fn lane(
        &self,
        shard: ShardNumber,
        leased_at: i64,
        shutdown: &CancellationToken,
    ) -> Option<Lane<'_>> {
        let mut failures = 0;
        while !shutdown.is_cancelled() && self.now() - leased_at < self.lease_us() {
            match self.cursor(shard).await {
                Ok(cursor) => {
                    return Some(Lane {
                        relay: self,
                        cursor,
                        kept: cursor,
                        kept_at: self.now(),
                        leased_at,
                        failures: 0,
                    });
                }
                Err(error) => {
                    let position = match &error {
                        CursorError::History { position, .. } => *position,
                        _ => 0,
                    };
                    self.stalled(shard, position, &error);
                    failures += 1;
                    self.rest(self.pause_ms(failures), shutdown).await;
                }
            }
        }
        None
    }

    fn lease_us(&self) -> i64 {
        i64::try_from(self.options.lease_ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }
}

impl Lane<'_> {
    async fn carry(&mut self) -> Ended {
        let mut batch = Vec::new();
        loop {
            if !self.renewed().await {
                return Ended::Lost;
            }
            if batch.is_empty() {
                match self.next().await {
                    Ok(read) => batch = read,
                    Err(error) => self.pause(&error).await,
                }
                continue;
            }
            let last = batch.last().map_or(self.cursor.position, |event| event.position);
            if batch
                .iter()
                .any(|event| event.envelope.incarnation > self.cursor.incarnation)
            {
                return Ended::Reborn;
            }
            let (acknowledged, ahead) = tokio::join!(
                self.relay.publish(&self.cursor, &batch),
                self.relay.read(self.cursor.shard, last)
            );
            match acknowledged {
                Ok(()) => {
                    self.failures = 0;
                    self.cursor.position = last;
                    self.cursor.hash = batch.last().map(|event| event.hash);
                    // A read that failed is made again, and then its failure is said.
                    batch = ahead.unwrap_or_default();
                    self.keep_if_due().await;
                }
                Err(error) => self.pause(&error).await,
            }
        }
    }

    /// The next events, after a wait for them that ends by itself within a second.
    async fn next(&mut self) -> Result<Vec<StoredEvent>, LogError> {
        let (shard, position) = (self.cursor.shard, self.cursor.position);
        let ready = self.relay.read(shard, position).await?;
        if !ready.is_empty() {
            return Ok(ready);
        }
        self.keep().await;
        self.relay.ports.log.wait_beyond(shard, position).await?;
        self.relay.read(shard, position).await
    }

    async fn pause(&mut self, error: &(dyn std::error::Error + Send + Sync)) {
        self.relay.stalled(self.cursor.shard, self.cursor.position, error);
        self.failures = self.failures.saturating_add(1);
        let ms = self.relay.pause_ms(self.failures);
        self.relay.ports.clock.sleep_ms(ms.max(1)).await;
    }

    /// Whether the lease is still ours; asked for when a third of it has passed. While leases do not answer, work rests.
    async fn renewed(&mut self) -> bool {
        while self.relay.now() - self.leased_at >= self.relay.lease_us() / 3 {
            let asked_at = self.relay.now();
            match self.relay.lease(self.cursor.shard).await {
                Ok(true) => self.leased_at = asked_at,
                Ok(false) => return false,
                Err(error) => self.pause(&error).await,
            }
        }
        true
    }

    async fn keep_if_due(&mut self) {
        let every = i64::try_from(self.relay.options.save_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        if self.relay.now() - self.kept_at >= every {
            self.keep().await;
        }
    }

    /// Keeps the cursor. A note that is lost only repeats work, so a failure is said and not waited for.
    async fn keep(&mut self) {
        if self.kept == self.cursor {
            return;
        }
        match self.relay.keep(&self.cursor).await {
            Ok(()) => self.kept = self.cursor,
            Err(error) => self
                .relay
                .stalled(self.cursor.shard, self.cursor.position, &error),
        }
        self.kept_at = self.relay.now();
    }
}

impl Relay {
    async fn read(&self, shard: ShardNumber, after: u64) -> Result<Vec<StoredEvent>, LogError> {
        self.ports.log.read_shard(shard, after, self.options.batch).await
    }

    async fn publish(
        &self,
        cursor: &Mark,
        batch: &[StoredEvent],
    ) -> Result<(), vaultstream_domain::ports::publisher::PublishError> {
        let begun = self.now();
        let span = trace::linked(
            "relay.publish",
            batch.iter().map(|event| event.envelope.trace.as_deref()),
        );
        self.ports
            .publisher
            .publish(cursor.shard, cursor.incarnation, batch)
            .instrument(span)
            .await?;
        self.ports.observer.observe(&Fact::Published {
            shard: cursor.shard,
            events: batch.len(),
            micros: u64::try_from(self.now() - begun).unwrap_or(0),
        });
        Ok(())
    }
}
