//! Which event versions this process may write: what the gate last answered, shared with the executor.
//!
//! The gate only ever opens further, so an answer that is some seconds old writes an older form, never one that
//! somebody does not read.

use std::sync::{Arc, PoisonError, RwLock};

use vaultstream_event_schemas::Versions;

/// What may be written. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Writable(Arc<RwLock<Option<Arc<Versions>>>>);

impl Writable {
    /// Whatever this build writes: for a process that nobody else reads after.
    pub fn own() -> Self {
        Self::default()
    }

    /// From now on, at most these versions.
    pub fn set(&self, versions: Versions) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(versions));
    }

    /// What may be written now; none when there is no bound.
    pub fn now(&self) -> Option<Arc<Versions>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
