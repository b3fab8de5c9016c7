//! Listening: a subscriber who goes on from its cursor, at another process when the first one dies, and begins anew when
//! its cursor is of another life of the log.

use futures::FutureExt;
use vaultstream_domain::ports::{Clock, EventLog, ViewStore};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{ErrorCode, ShardNumber};
use vaultstream_projectors::ViewName;
use vaultstream_query_api::hub::{Delivery, Reader, Topic};

use super::{LOOK_MS, People};
use crate::world::Door;

/// Of a thousand items, after so many the listener goes away and comes back.
const RESTLESS: u64 = 15;

impl People {
    /// Listens for ever: the first listener from the beginning of the log, the others from when they come.
    pub(super) async fn listen(&self, listener: usize) {
        let first = || (listener == 0).then(Positions::default);
        let mut cursor = first();
        let topic = Topic {
            organization: self.organization,
            vault: None,
        };
        loop {
            let door = self.world.door();
            let opened = door.and_then(|door| Some((door.hub.clone()?.read(topic, cursor.clone()), door)));
            match opened {
                Some((Ok(reader), door)) => {
                    self.record.began(listener, reader.cursor().clone());
                    cursor = Some(self.follow(listener, &door, reader).await);
                }
                Some((Err(refusal), _)) if refusal.code == ErrorCode::CursorInvalid => {
                    self.world.sim.note("cursor-of-another-life", format_args!(""));
                    cursor = first();
                }
                Some((Err(_), _)) | None => {}
            }
            self.here.sleep_ms(LOOK_MS).await;
        }
    }

    /// Follows until the process dies, the reader is closed or the listener has had enough; answers its cursor.
    async fn follow(&self, listener: usize, door: &Door, mut reader: Reader) -> Positions {
        let mut cursor = reader.cursor().clone();
        loop {
            let delivery = tokio::select! {
                biased;
                () = door.dead.cancelled() => return cursor,
                delivery = reader.next() => delivery,
            };
            let Ok(Delivery { item, cursor: behind }) = delivery else {
                return cursor;
            };
            self.record.heard(listener, item.shard, item.place);
            self.is_folded(item.shard, item.place);
            if behind.0.get(&item.shard).is_none_or(|at| *at != item.place) {
                self.record.wrong(format!(
                    "the cursor behind {:?} of {} names another place",
                    item.place, item.shard
                ));
            }
            cursor = behind;
            if self.world.sim.chance(RESTLESS) {
                return cursor;
            }
        }
    }

    /// What a subscriber is told, a query then finds: every view has folded it.
    fn is_folded(&self, shard: ShardNumber, place: Place) {
        if self.world.rewound.is_undeclared() {
            return;
        }
        let registry = self.world.log.registry();
        let Some(entry) = registry.entry(shard) else {
            return;
        };
        for name in ViewName::ALL
            .into_iter()
            .filter(|name| name.covers(&entry.family))
        {
            let at = name.at(entry.family.clone(), 1);
            let marks = self.world.views.watermarks(&at).now_or_never();
            let marks = marks.and_then(Result::ok).unwrap_or_default();
            if marks.get(&shard).is_none_or(|mark| *mark < place) {
                self.record.wrong(format!(
                    "{} of shard {shard} was handed out before {name} had folded it",
                    place.position
                ));
            }
        }
    }
}
