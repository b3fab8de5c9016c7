//! How fresh the views are: watermarks, waiting for a token, lag, and what is in quarantine.

use std::collections::{BTreeMap, BTreeSet};

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::view_store::Direction;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{Family, ShardNumber, Timestamp};

use super::merge::scan;
use super::{At, ReadError, Reads};
use crate::rows::QuarantineRow;
use crate::tables::{self, n};
use crate::view_name::ViewName;
use crate::watermarks::Mark;

/// How often a wait looks at the store when no projector of this process says more.
const POLL_MS: u64 = 20;

/// A view did not get far enough in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "view {view} is at position {reached} of shard {shard} and {wanted} was asked for; ask again in a moment"
)]
pub struct Behind {
    /// The view.
    pub view: ViewName,
    /// The shard.
    pub shard: ShardNumber,
    /// The position it is at.
    pub reached: u64,
    /// The position it should be at.
    pub wanted: u64,
}

/// How far a view is behind the log in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewLag {
    /// The view.
    pub view: ViewName,
    /// The family.
    pub family: Family,
    /// The generation that is read.
    pub generation: u32,
    /// Events folded, over the family's shards.
    pub position: u64,
    /// Events in the log, over the family's shards.
    pub head: u64,
    /// How long the oldest event that is not folded has waited, in microseconds; 0 when everything is folded.
    pub lag_us: u64,
    /// Events folded a second of late; none before it was looked at twice.
    pub per_second: Option<u64>,
    /// Streams in quarantine.
    pub quarantined: usize,
}

impl Reads {
    /// Where the read generation of a view stands, by shard.
    pub async fn watermarks(&self, view: ViewName) -> Result<BTreeMap<ShardNumber, Mark>, ReadError> {
        let mut marks = BTreeMap::new();
        for family in view.families(&self.registry) {
            marks.append(&mut self.marks(&self.at(view, family)).await?);
        }
        Ok(marks)
    }

    async fn marks(&self, at: &At) -> Result<BTreeMap<ShardNumber, Mark>, ReadError> {
        let mut known = self.watermarks.of(&at.view_ref());
        let mut shards = self.registry.shards_of(&at.family);
        if !shards.all(|shard| known.contains_key(&shard)) {
            for (shard, place) in self.store.watermarks(&at.view_ref()).await? {
                known.entry(shard).or_insert(Mark {
                    place,
                    quarantined: 0,
                });
            }
        }
        Ok(known)
    }

    /// What every answer from these views depends on, as bytes: which generation of each is read, how far it has come in
    /// each shard, and how many streams it keeps aside there. While this is the same, so is every answer.
    pub async fn state(&self, views: &BTreeSet<ViewName>) -> Result<Vec<u8>, ReadError> {
        let mut state = Vec::new();
        for view in views {
            for family in view.families(&self.registry) {
                let at = self.at(*view, family);
                state.extend_from_slice(format!("{view}/{}/", at.family).as_bytes());
                state.extend_from_slice(&at.pin.generation().to_be_bytes());
                for (shard, mark) in self.marks(&at).await? {
                    state.extend_from_slice(&shard.0.to_be_bytes());
                    state.extend_from_slice(&mark.place.incarnation.to_be_bytes());
                    state.extend_from_slice(&mark.place.position.to_be_bytes());
                    state.extend_from_slice(&mark.quarantined.to_be_bytes());
                }
            }
        }
        Ok(state)
    }

    /// The positions that some views have reached together: what a token of an answer holds.
    pub async fn positions(&self, views: &[ViewName]) -> Result<Positions, ReadError> {
        let mut lowest: BTreeMap<ShardNumber, Place> = BTreeMap::new();
        for view in views {
            let marks = self.watermarks(*view).await?;
            for family in view.families(&self.registry) {
                for shard in self.registry.shards_of(&family) {
                    let place = marks.get(&shard).map_or(
                        Place {
                            incarnation: 1,
                            position: 0,
                        },
                        |m| m.place,
                    );
                    let slot = lowest.entry(shard).or_insert(place);
                    *slot = (*slot).min(place);
                }
            }
        }
        Ok(Positions(lowest))
    }

    /// Waits until the views hold everything up to the positions, at most `timeout_ms`. Shards that a view does not cover
    /// do not count for it.
    pub async fn wait(
        &self,
        views: &[ViewName],
        positions: &Positions,
        timeout_ms: u64,
    ) -> Result<(), ReadError> {
        let mut moved = self.watermarks.subscribe();
        let deadline = self.clock.sleep_ms(timeout_ms);
        tokio::pin!(deadline);
        loop {
            moved.mark_unchanged();
            let Some(behind) = self.behind(views, positions).await? else {
                return Ok(());
            };
            tokio::select! {
                biased;
                () = &mut deadline => return Err(behind.into()),
                _ = moved.changed() => {}
                () = self.clock.sleep_ms(POLL_MS) => {}
            }
        }
    }

    async fn behind(&self, views: &[ViewName], positions: &Positions) -> Result<Option<Behind>, ReadError> {
        for view in views {
            let covered =
                |shard: ShardNumber| self.registry.entry(shard).is_some_and(|e| view.covers(&e.family));
            // collected, because an iterator with closures held across the wait would make the future not `Send`
            let mut wanted: Vec<_> = positions.0.iter().collect();
            wanted.retain(|(s, p)| p.position > 0 && covered(**s));
            if wanted.is_empty() {
                continue;
            }
            let marks = self.watermarks(*view).await?;
            for (shard, wanted) in wanted {
                let place = marks.get(shard).map(|m| m.place);
                if place.is_some_and(|p| p.position > 0 && p.incarnation != wanted.incarnation) {
                    return Err(ReadError::OtherLife { shard: *shard });
                }
                let reached = place.map_or(0, |p| p.position);
                if reached < wanted.position {
                    return Ok(Some(Behind {
                        view: *view,
                        shard: *shard,
                        reached,
                        wanted: wanted.position,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// How far every view is behind the log, by family.
    pub async fn lag(
        &self,
        log: &dyn EventLog,
        heads: &BTreeMap<ShardNumber, Head>,
        now: Timestamp,
    ) -> Result<Vec<ViewLag>, ReadError> {
        let mut lags = Vec::new();
        for view in ViewName::ALL {
            let marks = self.watermarks(view).await?;
            for family in view.families(&self.registry) {
                let mut lag = ViewLag {
                    view,
                    generation: self.generations.current(view, &family),
                    position: 0,
                    head: 0,
                    lag_us: 0,
                    per_second: None,
                    quarantined: 0,
                    family: family.clone(),
                };
                for shard in self.registry.shards_of(&family) {
                    let Some(head) = heads.get(&shard) else { continue };
                    let mark = marks.get(&shard);
                    // A mark of another life has folded nothing of this one.
                    let folded = mark.filter(|m| m.place.incarnation == head.incarnation);
                    let place = Place {
                        incarnation: head.incarnation,
                        position: folded.map_or(0, |m| m.place.position),
                    };
                    lag.position += place.position;
                    lag.head += head.position;
                    lag.quarantined += mark.map_or(0, |m| m.quarantined);
                    if place.position < head.position {
                        let age = self.waiting.age_us(log, shard, place, now).await?;
                        lag.lag_us = lag.lag_us.max(age);
                    }
                }
                lag.per_second = self.pace.look(view, &lag.family, (now, lag.position));
                lags.push(lag);
            }
        }
        Ok(lags)
    }

    /// The streams a view could not fold; its watermark is complete except for these.
    pub async fn quarantined(&self, view: ViewName) -> Result<Vec<QuarantineRow>, ReadError> {
        let mut rows = Vec::new();
        for family in view.families(&self.registry) {
            rows.extend(self.quarantined_in(view, &family).await?);
        }
        Ok(rows)
    }

    /// The same, in one family.
    pub async fn quarantined_in(
        &self,
        view: ViewName,
        family: &Family,
    ) -> Result<Vec<QuarantineRow>, ReadError> {
        let mut rows = Vec::new();
        let at = self.at(view, family.clone());
        for shard in self.registry.shards_of(family) {
            let all = scan(
                tables::QUARANTINE.name,
                vec![n(shard.0.into())],
                None,
                Direction::Forward,
            );
            rows.extend(
                self.whole::<QuarantineRow>(&at, all, "quarantined streams")
                    .await?,
            );
        }
        Ok(rows)
    }
}
