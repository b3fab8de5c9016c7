//! What leads to a payment, as it happens: binds, signatures, bytes on their way to a node. All of it outlives processes,
//! and logs that are put back: what was signed was signed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vaultstream_event_schemas::AccountId;

/// Events of the log that nothing may write in quarantine.
const WATCHED: [&str; 4] = [
    "execution.bound",
    "execution.broadcast_tried",
    "execution.signed",
    "slots.bound",
];

/// A signature that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The paying account.
    pub account: AccountId,
    /// The slot value.
    pub slot: u64,
    /// What was signed.
    pub digest: String,
    /// How much is paid; no two transfers pay the same.
    pub wei: u128,
    /// Whether a mark had it by then.
    pub is_marked: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An event of this type was written.
    Written(&'static str),
    /// A signature was made.
    Signed(Signed),
    /// The bytes of this transaction were handed to the node.
    Sent(String),
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When, in microseconds since the epoch.
    pub at_us: i64,
    /// What.
    pub what: What,
}

/// All of them. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Acts(Arc<Mutex<Vec<Act>>>);

impl Acts {
    fn locked(&self) -> MutexGuard<'_, Vec<Act>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was done now.
    pub(crate) fn did(&self, at_us: i64, what: What) {
        self.locked().push(Act { at_us, what });
    }

    /// An event was written now; those that nobody watches are passed over.
    pub(crate) fn wrote(&self, at_us: i64, event_type: &str) {
        if let Some(watched) = WATCHED.iter().find(|watched| **watched == event_type) {
            self.did(at_us, What::Written(watched));
        }
    }

    /// What was done from a moment on and before another.
    pub fn between(&self, from_us: i64, until_us: i64) -> Vec<Act> {
        let all = self.locked();
        let within = all.iter().filter(|act| (from_us..until_us).contains(&act.at_us));
        within.cloned().collect()
    }

    /// Every signature that was ever made.
    pub fn signed(&self) -> Vec<Signed> {
        let all = self.locked();
        let signed = all.iter().filter_map(|act| match &act.what {
            What::Signed(signed) => Some(signed.clone()),
            What::Written(_) | What::Sent(_) => None,
        });
        signed.collect()
    }
}
