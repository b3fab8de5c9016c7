//! Views that another process keeps: how far they have come and which generations are read, learnt from the store and
//! the log.
//!
//! Nothing is asked while the log rests. While a shard is ahead of its views, their watermarks are read every few
//! milliseconds, once for everybody who waits in this process. A mark that a projector of this process has put up is
//! never put back.

use std::sync::Arc;

use futures::future::{join_all, select_all};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::view_store::ViewStore;
use vaultstream_domain::ports::{Clock, EventLog, Spawn};
use vaultstream_event_schemas::payload::Payload;
use vaultstream_event_schemas::platform::v1::ParkedRetried;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, Registry, ShardNumber, StreamKind, Timestamp};

use crate::generations::Generations;
use crate::lane::parked;
use crate::switch::switched;
use crate::view_name::ViewName;
use crate::watermarks::{Mark, Watermarks};

/// How often watermarks are read while a view is behind.
const POLL_MS: u64 = 10;
/// The longest that a view's progress can stay unseen when the log rests.
const REST_MS: u64 = 1_000;
/// Pause after something could not be read.
const PAUSE_MS: u64 = 500;
/// How often what is in quarantine is counted, in microseconds.
const COUNT_US: i64 = 30_000_000;
/// Events of the platform looked at at once.
const BATCH: usize = 500;

/// What following runs on.
#[derive(Clone)]
pub struct FollowViews {
    /// Where watermarks are.
    pub store: Arc<dyn ViewStore>,
    /// Where switches are.
    pub log: Arc<dyn EventLog>,
    /// Paces.
    pub clock: Arc<dyn Clock>,
    /// The shards.
    pub registry: Arc<Registry>,
    /// Told of switches.
    pub generations: Arc<Generations>,
    /// Told of progress.
    pub watermarks: Arc<Watermarks>,
}

/// Why a look failed; it is taken again.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl FollowViews {
    /// Follows until `stop`: a task a family, and one for switches.
    pub fn start(&self, spawn: &dyn Spawn, stop: &CancellationToken) {
        let families: std::collections::BTreeSet<Family> = ViewName::ALL
            .iter()
            .flat_map(|name| name.families(&self.registry))
            .collect();
        for family in families {
            let (follow, stop) = (self.clone(), stop.clone());
            spawn.spawn(
                "follow_watermarks",
                Box::pin(async move { follow.progress(family, stop).await }),
            );
        }
        let (follow, stop) = (self.clone(), stop.clone());
        spawn.spawn(
            "follow_generations",
            Box::pin(async move { follow.switches(stop).await }),
        );
    }

    async fn progress(&self, family: Family, stop: CancellationToken) {
        let names: Vec<_> = ViewName::ALL
            .into_iter()
            .filter(|name| name.covers(&family))
            .collect();
        let mut counted_at = Timestamp::default();
        while !stop.is_cancelled() {
            let looked = self.look(&family, &names).await;
            if let Err(error) = self.count(&family, &names, &mut counted_at).await {
                tracing::warn!(%family, error = %Causes(error.as_ref()), "what is in quarantine cannot be counted");
            }
            let pause = match looked {
                Ok(true) => {
                    self.rest(&family, &stop).await;
                    0
                }
                Ok(false) => POLL_MS,
                Err(error) => {
                    tracing::warn!(%family, error = %Causes(error.as_ref()), "watermarks cannot be read");
                    PAUSE_MS
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.clock.sleep_ms(pause) => {}
            }
        }
    }

    /// Reads the watermarks of a family once; whether all of its views have folded the whole log.
    async fn look(&self, family: &Family, names: &[ViewName]) -> Result<bool, Failure> {
        // Before the marks, so that "all is folded" is never said of events that came between.
        let heads = self.log.heads().await?;
        let at: Vec<_> = names
            .iter()
            .map(|name| name.at(family.clone(), self.generations.current(*name, family)))
            .collect();
        let all = join_all(at.iter().map(|view| self.store.watermarks(view))).await;
        let mut is_folded = true;
        for (view, marks) in at.iter().zip(all) {
            let marks = marks?;
            for shard in self.registry.shards_of(family) {
                let head = heads.get(&shard);
                let place = marks.get(&shard).copied().unwrap_or(Place {
                    incarnation: head.map_or(1, |h| h.incarnation),
                    position: 0,
                });
                is_folded &= head.is_none_or(|h| h.position <= place.position);
                let known = self.watermarks.mark(view, shard);
                if known.is_none_or(|known| known.place < place) {
                    let quarantined = known.map_or(0, |known| known.quarantined);
                    self.watermarks.advance(view, shard, Mark { place, quarantined });
                }
            }
        }
        Ok(is_folded)
    }

    /// Counts what is in quarantine, when it was not counted for a while.
    async fn count(
        &self,
        family: &Family,
        names: &[ViewName],
        counted_at: &mut Timestamp,
    ) -> Result<(), Failure> {
        let now = self.clock.now();
        if now.as_micros() - counted_at.as_micros() < COUNT_US {
            return Ok(());
        }
        *counted_at = now;
        for name in names {
            let view = name.at(family.clone(), self.generations.current(*name, family));
            for shard in self.registry.shards_of(family) {
                let streams = parked(self.store.as_ref(), &view, shard).await?.len();
                self.watermarks.count_quarantined(&view, shard, streams);
            }
        }
        Ok(())
    }

    /// Returns when the log may have gone on.
    async fn rest(&self, family: &Family, stop: &CancellationToken) {
        let Ok(heads) = self.log.heads().await else { return };
        let shards: Vec<ShardNumber> = self.registry.shards_of(family).collect();
        let waits = shards.iter().map(|shard| {
            let position = heads.get(shard).map_or(0, |head| head.position);
            self.log.wait_beyond(*shard, position)
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.clock.sleep_ms(REST_MS) => {}
            _ = select_all(waits) => {}
        }
    }

    /// Follows the platform's shard for switches of generations.
    async fn switches(&self, stop: CancellationToken) {
        let shard = platform_organization(&self.registry).shard();
        let mut after = 0;
        while !stop.is_cancelled() {
            let seen = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                seen = self.next_switch(shard, &mut after) => seen,
            };
            if let Err(error) = seen {
                tracing::warn!(error = %Causes(error.as_ref()), "switches of views cannot be followed");
                self.clock.sleep_ms(PAUSE_MS).await;
            }
        }
    }

    async fn next_switch(&self, shard: ShardNumber, after: &mut u64) -> Result<(), Failure> {
        let events = self.log.read_shard(shard, *after, BATCH).await?;
        let Some(last) = events.last() else {
            self.log.wait_beyond(shard, *after).await?;
            return Ok(());
        };
        let last = last.position;
        if events
            .iter()
            .any(|event| event.envelope.stream.kind == StreamKind::ViewGeneration)
        {
            for ((name, family), generation) in switched(self.log.as_ref(), &self.registry).await? {
                if self.generations.current(name, &family) < generation {
                    tracing::info!(view = name.as_str(), %family, generation, "another generation is read");
                    drop(self.generations.switch(name, &family, generation));
                }
            }
        }
        let has_retried = events
            .iter()
            .any(|event| event.envelope.event_type == ParkedRetried::TYPE);
        if has_retried {
            // What was healed moved no watermark: answers are kept under the count.
            for name in ViewName::ALL {
                for family in name.families(&self.registry) {
                    self.count(&family, &[name], &mut Timestamp::default()).await?;
                }
            }
        }
        *after = last;
        Ok(())
    }
}
