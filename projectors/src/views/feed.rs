//! `feed`: public events of a tenant, one row each, in the order of their shard.

use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_event_schemas::StreamKind;
use vaultstream_event_schemas::public_event::to_public;

use crate::cache::{FoldError, RowCache};
use crate::rows::FeedRow;
use crate::tables::{self, key, n, t};
use crate::view::{Seen, View};
use crate::view_name::ViewName;

/// The view.
pub struct Feed;

impl View for Feed {
    fn name(&self) -> ViewName {
        ViewName::Feed
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [Table] {
        const TABLES: [Table; 1] = [tables::FEED];
        &TABLES
    }
    fn wants(&self, kind: StreamKind) -> bool {
        !matches!(
            kind,
            StreamKind::Claim | StreamKind::Slots | StreamKind::ViewGeneration
        )
    }
    fn needs(&self, _: &Seen<'_>) -> Vec<RowKey> {
        Vec::new()
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        let Some(event) = to_public(seen.stored) else {
            return Ok(());
        };
        let partition = [t(seen.organization()), n(seen.shard().0.into())];
        let at = key(&tables::FEED, partition, [n(seen.pos())]);
        rows.put_entry(at, &FeedRow::from(event), seen.hlc())
    }
}
