//! `feed`: public events of a tenant, in the order of their shard. An event that means several today is one row.

use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_event_schemas::StreamKind;
use vaultstream_event_schemas::public_event::to_public_all;
use vaultstream_event_schemas::upcast::{Chain, released};

use crate::cache::{FoldError, RowCache};
use crate::rows::FeedRow;
use crate::tables::{self, key, n, t};
use crate::view::{Seen, View};
use crate::view_name::ViewName;

/// The view.
pub struct Feed {
    chain: Chain,
}

impl Feed {
    /// A feed that reads events of older versions through these upcasters.
    pub const fn through(chain: Chain) -> Self {
        Self { chain }
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::through(released())
    }
}

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
            StreamKind::Claim
                | StreamKind::Slots
                | StreamKind::ViewGeneration
                | StreamKind::AuditTrail
                | StreamKind::Rewind
        )
    }
    fn needs(&self, _: &Seen<'_>) -> Vec<RowKey> {
        Vec::new()
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        // Whoever folds has read the event already: one of an unknown version does not come here.
        let public = to_public_all(&self.chain, seen.stored).unwrap_or_default();
        let Some(row) = FeedRow::of(public) else {
            return Ok(());
        };
        let partition = [t(seen.organization()), n(seen.shard().0.into())];
        let at = key(&tables::FEED, partition, [n(seen.pos())]);
        rows.put_entry(at, &row, seen.hlc())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;
    use vaultstream_event_schemas::Hlc;
    use vaultstream_event_schemas::envelope::{GENESIS, StoredEvent};
    use vaultstream_event_schemas::upcast::Versioned;

    use super::*;

    /// An event of a type that older builds wrote.
    fn stored(event_type: &str) -> StoredEvent {
        let golden = include_bytes!("../../../event-schemas/golden/envelope.json");
        let mut envelope: vaultstream_event_schemas::envelope::Envelope =
            serde_json::from_slice(golden).expect("the golden envelope");
        envelope.event_type = event_type.to_owned();
        StoredEvent {
            position: 7,
            hlc: Hlc(9),
            envelope,
            payload: b"{}".to_vec(),
            previous: GENESIS,
            hash: GENESIS,
        }
    }

    fn meaning(event_type: &'static str, payload: serde_json::Value) -> Versioned {
        Versioned {
            event_type: Cow::Borrowed(event_type),
            version: 1,
            payload,
        }
    }

    fn rows_of(feed: &Feed, stored: &StoredEvent) -> Vec<FeedRow> {
        let mut rows = RowCache::new();
        let seen = Seen {
            stored,
            events: &[],
            origin: "",
        };
        feed.fold(&seen, &mut rows).expect("folds");
        let written = rows.drain().expect("canonical").before;
        let row = |write: &vaultstream_domain::ports::view_store::RowWrite| {
            serde_json::from_slice(&write.value).expect("a row")
        };
        written.iter().map(row).collect()
    }

    #[test]
    fn event_that_means_several_today_should_keep_all_of_them_in_one_row() {
        let chain = Chain::new(&[("transfer.approved", 1), ("transfer.denied", 1)])
            .with("test.decided", 1, |_| {
                Ok(vec![
                    meaning("transfer.approved", json!({ "approvals": 1 })),
                    meaning("transfer.denied", json!({ "reason": "late" })),
                ])
            })
            .with("test.dropped", 1, |_| Ok(vec![]));
        let feed = Feed::through(chain);
        let rows = rows_of(&feed, &stored("test.decided"));
        let [row] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        let shown: Vec<_> = row
            .clone()
            .public()
            .into_iter()
            .map(|e| (e.event_type, e.position, e.data))
            .collect();
        assert_eq!(
            shown,
            [
                ("transfer.approved".to_owned(), 7, json!({ "approvals": 1 })),
                ("transfer.rejected".to_owned(), 7, json!({ "reason": "late" })),
            ]
        );
        assert_eq!(rows_of(&feed, &stored("test.dropped")), vec![]);
    }
}
