//! Ids from the machine's clock and randomness.

use uuid::Uuid;
use vaultstream_domain::ports::{Clock, Ids, Rng};
use vaultstream_event_schemas::id;

use crate::{SystemClock, SystemRng};

/// UUIDv7 of now; ids of one millisecond have no order among themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn next(&self) -> Uuid {
        let mut entropy = [0u8; 16];
        SystemRng.fill(&mut entropy);
        id::random(SystemClock.now().unix_ms(), u128::from_be_bytes(entropy))
    }
}
