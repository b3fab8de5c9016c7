//! How long the first event behind a place has waited: the lag of whatever stands at that place.
//!
//! Counted from the event's own clock to now, so that an idle hour before it is no lag, and something that stands still
//! grows old even when nothing else happens. An event never changes, so each is read once for everybody who stands in
//! front of it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Hlc, ShardNumber, Timestamp};

/// Clocks of events that are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// Clocks of the events that something waits in front of. One a process is enough.
#[derive(Debug)]
pub struct Waiting(Mutex<LruCache<(ShardNumber, Place), Hlc>>);

impl Default for Waiting {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl Waiting {
    /// How long the event behind `place` has waited, in microseconds; 0 when there is none.
    pub async fn age_us(
        &self,
        log: &dyn EventLog,
        shard: ShardNumber,
        place: Place,
        now: Timestamp,
    ) -> Result<u64, LogError> {
        let known = self.locked().get(&(shard, place)).copied();
        let hlc = match known {
            Some(hlc) => hlc,
            None => {
                let read = log.read_shard(shard, place.position, 1).await?;
                let Some(first) = read.first() else { return Ok(0) };
                self.locked().put((shard, place), first.hlc);
                first.hlc
            }
        };
        let now = u64::try_from(now.as_micros()).unwrap_or(0);
        Ok(now.saturating_sub(hlc.0))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, LruCache<(ShardNumber, Place), Hlc>> {
        // The cache is whole after every statement that touches it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
