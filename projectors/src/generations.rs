//! Which generation of each view is read now in each family's store, and who still reads it.
//!
//! A reader pins the generation for as long as it reads; the old tables are dropped only when nobody pins them, so a
//! switch never makes a read fail.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use vaultstream_event_schemas::Family;

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
    current: RwLock<BTreeMap<(ViewName, Family), Arc<u32>>>,
}

impl Generations {
    /// What the log says is switched to, by view and the family whose store holds it; others are at [`FIRST`].
    pub fn new(switched: &BTreeMap<(ViewName, Family), u32>) -> Self {
        let current = switched
            .iter()
            .map(|(at, generation)| (at.clone(), Arc::new(*generation)))
            .collect();
        Self {
            current: RwLock::new(current),
        }
    }

    /// Pins the generation that is read now.
    pub fn pin(&self, view: ViewName, family: &Family) -> Pin {
        let at = (view, family.clone());
        if let Some(pinned) = self
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&at)
        {
            return Pin(Arc::clone(pinned));
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        Pin(Arc::clone(current.entry(at).or_insert_with(|| Arc::new(FIRST))))
    }

    /// The generation that is read now.
    pub fn current(&self, view: ViewName, family: &Family) -> u32 {
        self.pin(view, family).generation()
    }

    /// Reads go to `generation` from now on. Answers what is left of the old one: its readers.
    pub fn switch(&self, view: ViewName, family: &Family, generation: u32) -> Leaving {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = current.insert((view, family.clone()), Arc::new(generation));
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
        let core = Family::Core;
        let generations = Generations::new(&BTreeMap::from([((ViewName::Feed, Family::Core), 3)]));
        let reader = generations.pin(ViewName::Feed, &core);
        let leaving = generations.switch(ViewName::Feed, &core, 4);
        assert_eq!((reader.generation(), leaving.generation()), (3, 3));
        assert_eq!(generations.current(ViewName::Feed, &core), 4);
        assert!(!leaving.is_unread());
        drop(reader);
        assert!(leaving.is_unread());
        assert_eq!(generations.current(ViewName::Vaults, &core), FIRST);
        let first = generations.pin(ViewName::Vaults, &core);
        let leaving = generations.switch(ViewName::Vaults, &core, 2);
        assert!(
            !leaving.is_unread(),
            "the first generation is pinned like any other"
        );
        drop(first);
        assert!(leaving.is_unread());
    }
}
