//! Which generation of each view is read now, and who still reads it.
//!
//! A reader pins the generation for as long as it reads; the old tables are dropped only when nobody pins them, so a
//! switch never makes a read fail.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::view_name::ViewName;

/// The generation every view starts with.
pub const FIRST: u32 = 1;

/// A generation that stays readable while this lives.
#[derive(Debug, Clone)]
pub struct Pin(Arc<u32>);

impl Pin {
    /// Its number.
    pub fn generation(&self) -> u32 {
        *self.0
    }
}

/// The registry. Cheap to share; one a process.
#[derive(Debug, Default)]
pub struct Generations {
    current: RwLock<BTreeMap<ViewName, Arc<u32>>>,
}

impl Generations {
    /// What the log says is switched to; views it does not name are at [`FIRST`].
    pub fn new(switched: &BTreeMap<ViewName, u32>) -> Self {
        let current = ViewName::ALL
            .into_iter()
            .map(|view| (view, Arc::new(switched.get(&view).copied().unwrap_or(FIRST))))
            .collect();
        Self { current: RwLock::new(current) }
    }

    /// Pins the generation that is read now.
    pub fn pin(&self, view: ViewName) -> Pin {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Pin(current.get(&view).map_or_else(|| Arc::new(FIRST), Arc::clone))
    }

    /// The generation that is read now.
    pub fn current(&self, view: ViewName) -> u32 {
        self.pin(view).generation()
    }

    /// Reads go to `generation` from now on. Answers what is left of the old one: its readers.
    pub fn switch(&self, view: ViewName, generation: u32) -> Leaving {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = current.insert(view, Arc::new(generation));
        Leaving(old.unwrap_or_else(|| Arc::new(FIRST)))
    }
}

/// A generation that is no longer handed out.
#[derive(Debug)]
pub struct Leaving(Arc<u32>);

impl Leaving {
    /// Its number.
    pub fn generation(&self) -> u32 {
        *self.0
    }
    /// Whether nobody reads it any more.
    pub fn is_unread(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_generation_should_stay_until_its_last_reader_is_done() {
        let generations = Generations::new(&BTreeMap::from([(ViewName::Feed, 3)]));
        let reader = generations.pin(ViewName::Feed);
        let leaving = generations.switch(ViewName::Feed, 4);
        assert_eq!((reader.generation(), leaving.generation()), (3, 3));
        assert_eq!(generations.current(ViewName::Feed), 4);
        assert!(!leaving.is_unread());
        drop(reader);
        assert!(leaving.is_unread());
        assert_eq!(generations.current(ViewName::Vaults), FIRST);
    }
}
