//! Answers kept for a while, so that the same question need not be read again while nothing it was read from has moved.
//!
//! A key holds the question, whose it is, what the build and the configuration are, and the state of everything the answer
//! was read from: the generation of each view, its watermark in each shard, and the chains' heads where they are shown. So
//! a kept answer is the answer: whatever moves makes another key. Kept are whole answers without errors; never what holds
//! personal data, the time, or something read from the log.
//!
//! Times to live are eviction only. One thing changes rows without moving a watermark: a projector of *another* process
//! that gets to fold a stream it had put aside. When an operator asked for it the log says so and such streams are counted
//! again at once; after a restart of that projector, what it changes may be unseen here until they are.

mod slot;
#[cfg(test)]
mod tests;

use std::time::Duration;

use vaultstream_event_schemas::chain::ChainSettings;
use vaultstream_gateway::kept::{Kept, Key};

pub use slot::{Question, Slot};

/// How long an answer is kept.
pub const RESPONSE_TTL: Duration = Duration::from_secs(300);
/// How long an answer is kept that shows where the chains stand.
pub const CHAIN_TTL: Duration = Duration::from_secs(60);
/// The largest answer that is kept, in bytes.
pub const MAX_ANSWER: usize = 256 * 1024;

/// Where answers are kept. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    kept: Kept,
    /// What the answers of this build and configuration have in common.
    build: Key,
}

impl Answers {
    /// Answers of an installation that serves these chains.
    pub fn new(kept: Kept, chains: &[ChainSettings]) -> Self {
        let build = [env!("CARGO_PKG_VERSION"), &crate::sdl(), &format!("{chains:?}")].join("\n");
        Self {
            build: kept.key([build.as_bytes()]),
            kept,
        }
    }
}
