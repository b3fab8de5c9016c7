//! How far each view's generation has come, shared inside the process: projectors advance it after a flush, readers wait
//! on it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use tokio::sync::watch;
use vaultstream_domain::ports::view_store::ViewRef;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

/// Where a view stands in a shard. Every event up to `place` is in the view, but for streams in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// How far.
    pub place: Place,
    /// How many streams of the shard are in quarantine.
    pub quarantined: usize,
}

type Marks = BTreeMap<ViewRef, BTreeMap<ShardNumber, Mark>>;

/// The registry of watermarks. One a process.
#[derive(Debug)]
pub struct Watermarks {
    marks: RwLock<Marks>,
    moved: watch::Sender<u64>,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self {
            marks: RwLock::default(),
            moved: watch::Sender::new(0),
        }
    }
}

impl Watermarks {
    /// Says that a generation has come to a place, and wakes who waits. A mark never goes back.
    pub fn advance(&self, view: &ViewRef, shard: ShardNumber, mark: Mark) {
        {
            let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
            let slot = marks
                .entry(view.clone())
                .or_default()
                .entry(shard)
                .or_insert(mark);
            if mark.place < slot.place {
                return;
            }
            *slot = mark;
        }
        self.moved.send_modify(|tick| *tick = tick.wrapping_add(1));
    }

    /// Says how many streams of a shard are in quarantine, where that is not known from its projector.
    pub fn count_quarantined(&self, view: &ViewRef, shard: ShardNumber, streams: usize) {
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(mark) = marks.get_mut(view).and_then(|by_shard| by_shard.get_mut(&shard)) {
            mark.quarantined = streams;
        }
    }

    /// Forgets a generation that was dropped.
    pub fn forget(&self, view: &ViewRef) {
        self.marks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(view);
    }

    /// Where a generation stands, by shard; empty when no projector of this process keeps it.
    pub fn of(&self, view: &ViewRef) -> BTreeMap<ShardNumber, Mark> {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(view).cloned().unwrap_or_default()
    }

    /// Where a generation stands in one shard.
    pub fn mark(&self, view: &ViewRef, shard: ShardNumber) -> Option<Mark> {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(view).and_then(|by_shard| by_shard.get(&shard)).copied()
    }

    /// A receiver that changes whenever any mark moves.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::Family;

    use super::*;
    use crate::view_name::ViewName;

    fn mark(incarnation: u32, position: u64) -> Mark {
        Mark {
            place: Place {
                incarnation,
                position,
            },
            quarantined: 0,
        }
    }

    #[test]
    fn mark_should_only_go_forward_and_wake_waiters() {
        let marks = Watermarks::default();
        let mut moved = marks.subscribe();
        let (shard, feed) = (ShardNumber(3), ViewName::Feed.at(Family::Core, 1));
        marks.advance(&feed, shard, mark(1, 5));
        assert!(moved.has_changed().expect("sender lives"));
        moved.mark_unchanged();
        marks.advance(&feed, shard, mark(1, 4));
        assert!(
            !moved.has_changed().expect("sender lives"),
            "a late mark is not news"
        );
        assert_eq!(marks.mark(&feed, shard), Some(mark(1, 5)));
        marks.forget(&feed);
        assert_eq!(marks.mark(&feed, shard), None);
    }
}
