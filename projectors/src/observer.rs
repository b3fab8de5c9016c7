//! What projectors tell about themselves: typed facts, counted by whoever observes. Called on the hot path; must not
//! block.

use vaultstream_event_schemas::{Family, ShardNumber};

use crate::view_name::ViewName;

/// Something that happened. Durations are in microseconds.
#[derive(Debug)]
pub enum Fact<'a> {
    /// Events of a shard were given to the views.
    Folded {
        /// The shard.
        shard: ShardNumber,
        /// How many.
        events: usize,
    },
    /// What a shard's views had gathered was written to the store.
    Flushed {
        /// Rows, totals among them.
        rows: usize,
        /// From the first write to the last answer.
        micros: u64,
    },
    /// A rebuild began or ended.
    Rebuilding {
        /// The view.
        view: ViewName,
        /// Where.
        family: &'a Family,
        /// Whether it runs now.
        is_running: bool,
    },
    /// What was parked was tried again because somebody asked for it.
    Retried {
        /// The view.
        view: ViewName,
        /// Where.
        family: &'a Family,
        /// Streams that are folded again.
        healed: u64,
    },
    /// A rebuild folded more events.
    Rebuilt {
        /// The view.
        view: ViewName,
        /// Where.
        family: &'a Family,
        /// How many more.
        events: usize,
    },
}

/// Takes facts. Must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, fact: &Fact<'_>);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: &Fact<'_>) {}
}

/// A rebuild that is told until it is dropped, however it ends.
pub(crate) struct Told<'a> {
    observer: &'a dyn Observer,
    view: ViewName,
    family: &'a Family,
}

impl<'a> Told<'a> {
    pub(crate) fn begin(observer: &'a dyn Observer, view: ViewName, family: &'a Family) -> Self {
        let told = Self {
            observer,
            view,
            family,
        };
        told.say(true);
        told
    }

    fn say(&self, is_running: bool) {
        self.observer.observe(&Fact::Rebuilding {
            view: self.view,
            family: self.family,
            is_running,
        });
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.say(false);
    }
}
