//! Looking: what a view tells is the fold of a prefix of the log, never older than what was asked for, and never goes
//! back.

use std::collections::BTreeMap;

use futures::FutureExt;
use vaultstream_domain::aggregate::OfState;
use vaultstream_domain::execution::Execution;
use vaultstream_domain::ports::Clock;
use vaultstream_domain::transfer::Transfer;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{StreamId, TransferId};
use vaultstream_kernel::{EventPlace, Loaded, load_state_as_of};
use vaultstream_projectors::ViewName;

use super::People;
use crate::world::Door;

const PAUSE_MS: u64 = 400;
const PATIENCE_MS: u64 = 3_000;

impl People {
    pub(super) async fn look(&self) {
        let mut seen: BTreeMap<(TransferId, u32), u64> = BTreeMap::new();
        loop {
            let pause = self.world.sim.draw(|dice| dice.between(1, PAUSE_MS));
            self.here.sleep_ms(pause).await;
            let known = self.record.requested();
            let picked = self.world.sim.draw(|dice| dice.one_of(&known).copied());
            if self.world.rewound.is_undeclared() {
                continue;
            }
            if let (Some(door), Some((transfer, place))) = (self.world.door(), picked) {
                tokio::select! {
                    biased;
                    () = door.dead.cancelled() => {}
                    () = self.read(&door, transfer, place, &mut seen) => {}
                }
            }
        }
    }

    async fn read(
        &self,
        door: &Door,
        transfer: TransferId,
        place: EventPlace,
        seen: &mut BTreeMap<(TransferId, u32), u64>,
    ) {
        let life = self.world.log.life();
        let at_least = Place {
            incarnation: life,
            position: place.position,
        };
        let positions = Positions::one(transfer.shard(), at_least);
        let waited = door
            .reads
            .wait(&[ViewName::Transfers], &positions, PATIENCE_MS)
            .await;
        if waited.is_err() {
            return;
        }
        let Ok(row) = door.reads.transfer(self.organization, transfer).await else {
            return;
        };
        let Some(found) = row else {
            self.record.wrong(format!(
                "{transfer} is acknowledged at {} and a read that waited for it does not find it",
                place.position
            ));
            return;
        };
        self.record.has_read();
        let row = &found.row;
        let last = seen.entry((transfer, life)).or_default();
        if row.pos < place.position || row.pos < *last {
            self.record.wrong(format!(
                "{transfer} was read at {}, after {} was waited for and {last} was read",
                row.pos, place.position
            ));
        }
        *last = row.pos;
        let folded = self
            .folded::<Transfer>(transfer, row.pos)
            .map(|state| state.status);
        self.holds(transfer.into(), row.pos, folded == Some(Some(row.status)));
        for row in &found.executions {
            let folded = self
                .folded::<Execution>(row.id, row.pos)
                .map(|state| state.status);
            self.holds(row.id.into(), row.pos, folded == Some(Some(row.status)));
        }
    }

    /// The state of a stream when its shard stood at a position at which it has an event.
    fn folded<D: OfState>(&self, stream: impl Into<StreamId>, position: u64) -> Option<D::State>
    where
        D::State: Clone,
    {
        let stream: StreamId = stream.into();
        let is_there = self
            .world
            .log
            .events(stream.shard())
            .get(usize::try_from(position.checked_sub(1)?).ok()?)
            .is_some_and(|event| event.envelope.stream == stream);
        let loaded: Loaded = load_state_as_of(&self.world.log, stream, position)
            .now_or_never()?
            .ok()?;
        is_there.then(|| D::of(&loaded.state).cloned()).flatten()
    }

    fn holds(&self, stream: StreamId, position: u64, holds: bool) {
        if !holds {
            self.record.wrong(format!(
                "the row of {stream} at {position} is not what the log gives up to there"
            ));
        }
    }
}
