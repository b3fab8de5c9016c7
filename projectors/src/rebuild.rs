//! Rebuild: a new generation of a view, filled from the log beside the one that is read, compared, and switched to.
//!
//! Filling folds in memory and writes final rows in large flushes, shard by shard, a few at a time. Then the shards'
//! workers take the new generation over. For the comparison the family's workers stand still at the same place: reads go
//! on, only freshness waits. A generation that differs where the fold has not changed is given up and dropped.

use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::view_store::{ViewRef, ViewStoreError};
use vaultstream_event_schemas::{Family, ShardNumber};

use crate::dump::{DumpError, digest};
use crate::generations::Leaving;
use crate::lane::{Decoded, Lane, LaneError, LaneParts};
use crate::observer::{Fact, Told};
use crate::projector::{Projector, Source};
use crate::view::View;
use crate::view_name::ViewName;
use crate::views::{tables_of, view};
use crate::worker::Control;

/// How often the readers of an old generation are looked after, in milliseconds.
const LEAVING_MS: u64 = 20;

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The generation that is read now.
    pub generation: u32,
    /// Events folded while filling.
    pub events: u64,
    /// Time filling took, in microseconds.
    pub fill_us: u64,
    /// Digest of the canonical dump at the switch, lower-case hex.
    pub digest: String,
    /// Whether the old generation had the same digest; none when it was not comparable.
    pub same: Option<bool>,
}

/// Why a rebuild was given up. The old generation is read as before.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The view has no store in that family.
    #[error("view {view} has no store in family {family}")]
    NotCovered {
        /// The view.
        view: ViewName,
        /// The family.
        family: String,
    },
    /// Another rebuild runs.
    #[error("another rebuild runs; wait for it to end")]
    Busy,
    /// The process is ending.
    #[error("the process is ending")]
    Shutdown,
    /// The new generation differs from the old one.
    #[error(
        "generation {generation} has digest {new} and the one that is read has {old}, though the fold is the same"
    )]
    Differs {
        /// The new generation.
        generation: u32,
        /// Its digest.
        new: String,
        /// The digest of the one that is read.
        old: String,
    },
    /// A worker did not take the new generation over.
    #[error("the worker of shard {0} did not answer")]
    Worker(ShardNumber),
    /// A lane failed.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ViewStoreError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A dump failed.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// It could not be written down.
    #[error("the change of generation cannot be recorded")]
    Record(#[source] Source),
}

impl Projector {
    /// Rebuilds a view in a family. Works beside running workers, and also when none run.
    pub async fn rebuild(
        &self,
        name: ViewName,
        family: &Family,
        reason: &str,
        shutdown: &CancellationToken,
    ) -> Result<Rebuilt, RebuildError> {
        if !name.covers(family) || self.parts.registry.count(family) == 0 {
            return Err(RebuildError::NotCovered {
                view: name,
                family: family.to_string(),
            });
        }
        let _one = self.rebuilding.try_lock().map_err(|_| RebuildError::Busy)?;
        let _told = Told::begin(self.parts.observer.as_ref(), name, family);
        let started = self.parts.switch.start(family, name, reason).await;
        let generation = started.map_err(RebuildError::Record)?;
        let work = self.build(name, family, generation);
        let built = tokio::select! {
            biased;
            built = work => built,
            () = shutdown.cancelled() => Err(RebuildError::Shutdown),
        };
        match built {
            Ok((rebuilt, leaving)) => {
                self.retire(name, family, leaving, shutdown).await?;
                Ok(rebuilt)
            }
            Err(error) => {
                self.give_up(name, family, generation, &error).await;
                Err(error)
            }
        }
    }

    async fn build(
        &self,
        name: ViewName,
        family: &Family,
        generation: u32,
    ) -> Result<(Rebuilt, Leaving), RebuildError> {
        let (store, view) = (&self.parts.store, view(name));
        let new = name.at(family.clone(), generation);
        let old = name.at(family.clone(), self.parts.generations.current(name, family));
        store.drop_generation(&new).await?;
        store.create(&new, &tables_of(view.as_ref())).await?;
        self.write_version(&new, view.as_ref()).await?;
        let begun = self.parts.clock.now().as_micros();
        let shards: Vec<_> = self.parts.registry.shards_of(family).collect();
        let lanes: Vec<_> = shards
            .iter()
            .map(|shard| self.lane(name, family, generation, *shard))
            .collect();
        let events = self.fill_all(lanes.clone()).await?;
        let took = self.parts.clock.now().as_micros().saturating_sub(begun);
        for lane in lanes {
            self.hand_over(lane).await?;
        }
        let held = self.hold(&shards).await?;
        let (digest, same) = self.compare(view.as_ref(), &new, &old).await?;
        let switched = self.parts.switch.switch(family, name, generation, &digest).await;
        switched.map_err(RebuildError::Record)?;
        let leaving = self.parts.generations.switch(name, family, generation);
        drop(held);
        let fill_us = u64::try_from(took).unwrap_or(0);
        Ok((
            Rebuilt {
                generation,
                events,
                fill_us,
                digest,
                same,
            },
            leaving,
        ))
    }

    async fn fill_all(&self, lanes: Vec<LaneParts>) -> Result<u64, RebuildError> {
        // Collected, because a closure held across the waits would make the future not `Send` in general.
        let fills: Vec<_> = lanes.into_iter().map(|lane| self.spawn_fill(lane)).collect();
        let at_once = self.parts.options.rebuild_shards.max(1);
        let mut fills = futures::stream::iter(fills).buffer_unordered(at_once);
        let mut events = 0;
        while let Some(filled) = fills.next().await {
            events += filled?;
        }
        Ok(events)
    }

    /// The digest of the new generation, and whether the old one has the same; none when another fold filled that one.
    async fn compare(
        &self,
        view: &dyn View,
        new: &ViewRef,
        old: &ViewRef,
    ) -> Result<(String, Option<bool>), RebuildError> {
        let store = self.parts.store.as_ref();
        if self.version_of(old).await? != Some(view.version().into()) {
            return Ok((digest(store, view, new).await?, None));
        }
        let both = futures::try_join!(digest(store, view, new), digest(store, view, old));
        let (new_digest, old_digest) = both?;
        if new_digest == old_digest {
            return Ok((new_digest, Some(true)));
        }
        Err(RebuildError::Differs {
            generation: new.generation,
            new: new_digest,
            old: old_digest,
        })
    }

    /// Fills one shard in a task of its own, so that shards use the machine's cores.
    async fn spawn_fill(&self, parts: LaneParts) -> Result<u64, RebuildError> {
        let (projector, shard) = (self.clone(), parts.shard);
        let (done, result) = oneshot::channel();
        let fill = async move {
            // A rebuild that was given up does not want to know.
            let _ = done.send(projector.fill(parts).await);
        };
        self.parts.spawn.spawn("view-rebuild", Box::pin(fill));
        result.await.map_err(|_| RebuildError::Worker(shard))?
    }

    async fn fill(&self, mut parts: LaneParts) -> Result<u64, RebuildError> {
        let (log, options, shard) = (Arc::clone(&self.parts.log), self.parts.options, parts.shard);
        let incarnation = log.heads().await?.get(&shard).map_or(1, |head| head.incarnation);
        parts.cache_rows = options.rebuild_rows.saturating_mul(2);
        let (view_name, family) = (parts.view.name(), parts.at.family.clone());
        let mut lane = Lane::building(parts, incarnation);
        let (mut events, mut writing) = (0, None);
        let mut batch = log.read_shard(shard, 0, options.read).await?;
        while let Some(last) = batch.last().map(|stored| stored.position) {
            let ahead = log.read_shard(shard, last, options.read);
            tokio::pin!(ahead);
            // Started before this batch is folded, so that reading and folding use both cores.
            let early = futures::poll!(&mut ahead);
            events += u64::try_from(batch.len()).unwrap_or(0);
            let decoded: Vec<_> = batch
                .into_iter()
                .map(|stored| {
                    let wanted = lane.wants(&stored);
                    Decoded::new(stored, wanted)
                })
                .collect();
            lane.apply(&decoded).await?;
            self.parts.observer.observe(&Fact::Rebuilt {
                view: view_name,
                family: &family,
                events: decoded.len(),
            });
            drop(decoded);
            if lane.pending() >= options.rebuild_rows {
                if let Some(writing) = writing.take() {
                    lane.end_flush(writing).await?;
                }
                writing = Some(lane.begin_flush(self.parts.spawn.as_ref()).await?);
            }
            batch = match early {
                std::task::Poll::Ready(read) => read?,
                std::task::Poll::Pending => ahead.await?,
            };
        }
        if let Some(writing) = writing.take() {
            lane.end_flush(writing).await?;
        }
        lane.flush().await?;
        Ok(events)
    }

    /// Gives a filled shard to its worker, when one runs.
    async fn hand_over(&self, parts: LaneParts) -> Result<(), RebuildError> {
        let shard = parts.shard;
        let (done, answer) = oneshot::channel();
        if self.ask(shard, Control::Add(parts, done)).await.is_none() {
            return Ok(());
        }
        Ok(answer.await.map_err(|_| RebuildError::Worker(shard))??)
    }

    /// Lets the workers of some shards flush and stand still until the answer is dropped.
    async fn hold(&self, shards: &[ShardNumber]) -> Result<Vec<oneshot::Sender<()>>, RebuildError> {
        let mut held = Vec::new();
        for shard in shards {
            let (release, released) = oneshot::channel();
            let (reached, place) = oneshot::channel();
            if self.ask(*shard, Control::Hold(reached, released)).await.is_some() {
                place.await.map_err(|_| RebuildError::Worker(*shard))?;
                held.push(release);
            }
        }
        Ok(held)
    }

    async fn stop_keeping(&self, name: ViewName, family: &Family, generation: u32) {
        for shard in self.parts.registry.shards_of(family) {
            let (done, removed) = oneshot::channel();
            if self
                .ask(shard, Control::Remove(name.at(family.clone(), generation), done))
                .await
                .is_some()
            {
                // A worker that ended keeps nothing.
                let _ = removed.await;
            }
        }
    }

    /// Drops the old generation once nobody reads it.
    async fn retire(
        &self,
        name: ViewName,
        family: &Family,
        leaving: Leaving,
        shutdown: &CancellationToken,
    ) -> Result<(), RebuildError> {
        self.stop_keeping(name, family, leaving.generation()).await;
        tokio::select! {
            biased;
            () = self.parts.clock.sleep_ms(self.parts.options.retire_ms) => {}
            () = shutdown.cancelled() => {}
        }
        while !leaving.is_unread() && !shutdown.is_cancelled() {
            self.parts.clock.sleep_ms(LEAVING_MS).await;
        }
        let old = name.at(family.clone(), leaving.generation());
        // A wait that was cut short leaves the tables where they are: another process may read them still.
        let was_heard = self.parts.options.retire_ms == 0 || !shutdown.is_cancelled();
        if leaving.is_unread() && was_heard {
            self.parts.store.drop_generation(&old).await?;
        }
        self.parts.watermarks.forget(&old);
        Ok(())
    }

    async fn give_up(&self, name: ViewName, family: &Family, generation: u32, error: &RebuildError) {
        self.stop_keeping(name, family, generation).await;
        let at = name.at(family.clone(), generation);
        if let Err(error) = self.parts.store.drop_generation(&at).await {
            report(&at, &error, "an unfinished generation stays on disk");
        }
        self.parts.watermarks.forget(&at);
        if matches!(error, RebuildError::Shutdown) {
            // Still being built, says the log: whoever keeps the view next begins it again.
            return;
        }
        let why = error.to_string();
        let recorded = self.parts.switch.abandon(family, name, generation, &why).await;
        if let Err(error) = recorded {
            report(&at, &*error, "that a generation is given up is not recorded");
        }
    }
}

fn report(at: &ViewRef, error: &(dyn std::error::Error + 'static), what: &str) {
    tracing::warn!(view = at.view, family = %at.family, generation = at.generation, error, "{what}");
}
