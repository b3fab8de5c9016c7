//! What a view is: a name, a version, tables, and a pure fold.
//!
//! A fold is order- and duplicate-safe: each row it reads back decides for itself whether it has seen the event, and guards
//! what follows from it (index entries, totals), never another row. It makes all its reads before its first write, so
//! an event is folded whole or not at all.

use vaultstream_domain::Event;
use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Amount, Hlc, OrganizationId, ShardNumber, StreamKind, VaultId};

use crate::cache::{FoldError, RowCache};
use crate::view_name::ViewName;

/// An event as a fold sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// As the log holds it.
    pub stored: &'a StoredEvent,
    /// What it means today.
    pub events: &'a [Event],
    /// Empty; the stream, when parked events are folded late, so that their totals are counted apart.
    pub origin: &'a str,
}

impl Seen<'_> {
    /// Its place in its shard.
    pub const fn pos(&self) -> u64 {
        self.stored.position
    }
    /// The shard's clock.
    pub const fn hlc(&self) -> Hlc {
        self.stored.hlc
    }
    /// The shard.
    pub const fn shard(&self) -> ShardNumber {
        self.stored.envelope.shard
    }
    /// The tenant.
    pub const fn organization(&self) -> OrganizationId {
        self.stored.envelope.organization
    }
    /// The vault that owns it.
    pub const fn vault(&self) -> Option<VaultId> {
        self.stored.envelope.owner.vault()
    }
    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        self.stored.envelope.occurred_at
    }
    /// Its place in its stream, from 1.
    pub const fn sequence(&self) -> u64 {
        self.stored.envelope.sequence
    }
}

/// A view. See the module for the contract of its fold.
pub trait View: Send + Sync {
    /// Its name.
    fn name(&self) -> ViewName;
    /// Changes when its tables, its rows or its fold change; the view is then rebuilt.
    fn version(&self) -> u32;
    /// Its tables, without those every view has.
    fn tables(&self) -> &'static [Table];
    /// Whether events of a kind of stream are folded at all.
    fn wants(&self, kind: StreamKind) -> bool;
    /// The rows the fold of this event reads; asking for too few costs time, never correctness.
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey>;
    /// Folds an event.
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError>;
}

/// One more.
pub(crate) fn one_more() -> (Amount, Amount) {
    (Amount::from_u128(1), Amount::ZERO)
}

/// One less.
pub(crate) fn one_less() -> (Amount, Amount) {
    (Amount::ZERO, Amount::from_u128(1))
}

/// Says that the row of a stream's first event cannot exist yet, which saves looking for it.
pub(crate) fn begin(seen: &Seen<'_>, key: &RowKey, rows: &mut RowCache) {
    if seen.sequence() == 1 && !rows.knows(key) {
        rows.load(key.clone(), None);
    }
}

/// The key a fold reads, unless the event is the first of its stream.
pub(crate) fn unless_first(seen: &Seen<'_>, key: RowKey) -> Vec<RowKey> {
    if seen.sequence() == 1 {
        Vec::new()
    } else {
        vec![key]
    }
}
