//! The newest committed events of every shard, in memory, for those who follow the tail.
//!
//! Invariants: what is kept of a shard is contiguous and ends at its head; only the writer adds, after its commit.
//! Bounded by events and by bytes a shard; the file has the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use vaultstream_domain::ports::event_log::Leaf;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;

/// Events kept of a shard at most.
const MAX_EVENTS: usize = 4_096;
/// Payload bytes kept of a shard at most.
const MAX_BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<StoredEvent>>,
    bytes: usize,
}

/// The newest events of all shards.
#[derive(Debug)]
pub(super) struct Recent(Vec<Mutex<Ring>>);

impl Recent {
    /// Keeps nothing yet of `shards` shards.
    pub(super) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| Mutex::default()).collect())
    }

    /// Adds committed events of one shard, in order of position.
    pub(super) fn extend(&self, shard: ShardNumber, events: impl IntoIterator<Item = StoredEvent>) {
        let Some(ring) = self.0.get(usize::from(shard.0)) else {
            return;
        };
        let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let follows = ring
                .events
                .back()
                .is_none_or(|last| last.position + 1 == event.position);
            if !follows {
                *ring = Ring::default();
            }
            ring.bytes += event.payload.len();
            ring.events.push_back(Arc::new(event));
            while ring.events.len() > MAX_EVENTS || ring.bytes > MAX_BYTES {
                let Some(gone) = ring.events.pop_front() else {
                    break;
                };
                ring.bytes -= gone.payload.len();
            }
        }
    }

    /// Events above `after`, when all of those up to the limit are kept here.
    pub(super) fn read(&self, shard: ShardNumber, after: u64, limit: usize) -> Option<Vec<StoredEvent>> {
        let kept = self.kept(shard, after, limit)?;
        Some(kept.into_iter().map(|event| StoredEvent::clone(&event)).collect())
    }

    /// The leaves of the same.
    pub(super) fn leaves(&self, shard: ShardNumber, after: u64, limit: usize) -> Option<Vec<Leaf>> {
        let kept = self.kept(shard, after, limit)?;
        Some(kept.iter().map(|event| Leaf::from(&**event)).collect())
    }

    fn kept(&self, shard: ShardNumber, after: u64, limit: usize) -> Option<Vec<Arc<StoredEvent>>> {
        let ring = self.0.get(usize::from(shard.0))?;
        let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.events.front()?.position;
        let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        let kept = ring.events.iter().skip(skip).take(limit);
        Some(kept.map(Arc::clone).collect())
    }
}
