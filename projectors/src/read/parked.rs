//! What is in quarantine, page by page: the streams a view could not fold, in the order of their shards.

use vaultstream_domain::ports::view_store::Direction;
use vaultstream_event_schemas::{Family, ShardNumber};

use super::merge::scan;
use super::{ReadError, Reads, decode};
use crate::rows::QuarantineRow;
use crate::tables::{self, n, t};
use crate::view_name::ViewName;

/// A page of parked streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The streams, each with the family whose store it is parked in.
    pub rows: Vec<(Family, QuarantineRow)>,
    /// Where the next page begins.
    pub next: Option<Vec<u8>>,
}

/// The last stream of the page before.
type After = (u16, String);

impl Reads {
    /// At most `limit` parked streams of a view in some of its families, behind `after`, the `next` of the page before.
    pub async fn parked(
        &self,
        view: ViewName,
        families: &[Family],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Parked, ReadError> {
        let after: Option<After> = after
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|_| ReadError::Cursor)?;
        let mut shards: Vec<(ShardNumber, &Family)> = families
            .iter()
            .flat_map(|family| self.registry.shards_of(family).map(move |shard| (shard, family)))
            .collect();
        shards.sort_unstable_by_key(|(shard, _)| *shard);
        let mut page = Parked {
            rows: Vec::new(),
            next: None,
        };
        for (shard, family) in shards {
            let behind = match &after {
                Some((reached, _)) if shard.0 < *reached => continue,
                Some((reached, stream)) if shard.0 == *reached => Some(vec![t(stream)]),
                _ => None,
            };
            let at = self.at(view, family.clone());
            let partition = vec![n(shard.0.into())];
            let mut rest = scan(tables::QUARANTINE.name, partition, behind, Direction::Forward);
            // One more than wanted tells whether there is a next page.
            rest.limit = (limit + 1 - page.rows.len()).min(rest.limit);
            for row in self.scan(&at, &rest).await? {
                let row = decode::<QuarantineRow>(tables::QUARANTINE.name, &row.value)?;
                page.rows.push((family.clone(), row));
            }
            if page.rows.len() > limit {
                break;
            }
        }
        if page.rows.len() > limit {
            page.rows.truncate(limit);
            if let Some((_, last)) = page.rows.last() {
                let after: After = (last.shard.0, last.event.stream.to_string());
                // A number and a text always serialize.
                page.next = serde_json::to_vec(&after).ok();
            }
        }
        Ok(page)
    }
}
