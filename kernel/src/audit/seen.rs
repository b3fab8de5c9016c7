//! An event as an auditor sees it: its bytes hashed again, and no more of it kept than is compared.

use serde::Deserialize;
use vaultstream_event_schemas::envelope::{EventRef, Hash, event_hash, leaf_hash};
use vaultstream_event_schemas::record::Parts;
use vaultstream_event_schemas::{Hlc, ShardNumber, StreamId};

/// What an envelope says of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Claimed {
    pub(super) incarnation: u32,
    pub(super) sequence: u64,
    pub(super) shard: ShardNumber,
    pub(super) stream: StreamId,
}

/// An event, looked at.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub(super) position: u64,
    pub(super) hlc: Hlc,
    pub(super) previous: Hash,
    pub(super) hash: Hash,
    /// None when the envelope cannot be read.
    pub(super) claimed: Option<Claimed>,
    /// Whether the bytes give the hash.
    pub(super) is_whole: bool,
}

impl Seen {
    /// Hashes the bytes of an event.
    pub fn new(parts: &Parts<'_>) -> Self {
        let hash = event_hash(parts.envelope, parts.payload, &parts.previous);
        Self {
            position: parts.position,
            hlc: parts.hlc,
            previous: parts.previous,
            hash: parts.hash,
            claimed: serde_json::from_slice(parts.envelope).ok(),
            is_whole: hash == parts.hash,
        }
    }

    /// The shard its envelope names.
    pub fn shard(&self) -> Option<ShardNumber> {
        Some(self.claimed?.shard)
    }

    /// Its position.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The name its envelope gives it.
    pub fn event_ref(&self) -> Option<EventRef> {
        let claimed = self.claimed?;
        Some(EventRef {
            stream: claimed.stream,
            sequence: claimed.sequence,
        })
    }

    /// Its leaf in the tree of a shard.
    pub fn leaf(&self, shard: ShardNumber) -> Option<Hash> {
        let incarnation = self.claimed?.incarnation;
        Some(leaf_hash(shard, incarnation, self.position, self.hlc, &self.hash))
    }

    /// Says that a column beside the envelope contradicts it.
    #[must_use]
    pub fn with_columns(mut self, stream: &[u8], sequence: u64) -> Self {
        let agrees = self
            .claimed
            .is_some_and(|claimed| claimed.stream.to_bytes()[..] == *stream && claimed.sequence == sequence);
        self.is_whole &= agrees;
        self
    }
}
