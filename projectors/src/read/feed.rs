//! The feed: public events of a tenant, merged over shards by their clocks.
//!
//! A cursor is a vector of positions, one a shard, so that paging and resuming are gap-free whatever order shards write
//! in: the newest-first list is fixed to where the view stood when it began, and nothing beyond a shard's watermark is
//! shown before everything below it.

use std::collections::{BTreeMap, VecDeque};

use vaultstream_domain::ports::view_store::{Direction, KeyPart, MAX_SCAN, Scan};
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{OrganizationId, ShardNumber, VaultId};

use super::merge::scan;
use super::page::{Edge, Page, PageRequest, cursor, parts};
use super::{At, MAX_EXAMINED, ReadError, Reads, decode};
use crate::rows::FeedRow;
use crate::tables::{self, n, t};
use crate::view_name::ViewName;

/// Which public events; every condition that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedQuery {
    /// Owned by this vault.
    pub vault: Option<VaultId>,
    /// Of these public types; empty for all.
    pub types: Vec<String>,
}

impl FeedQuery {
    /// Whether a public event is asked for.
    pub fn passes(&self, vault: Option<VaultId>, event_type: &str) -> bool {
        self.vault.is_none_or(|v| vault == Some(v))
            && (self.types.is_empty() || self.types.iter().any(|wanted| wanted == event_type))
    }
}

/// One shard of the merge.
struct Lane {
    shard: ShardNumber,
    at: usize,
    /// Everything at or below is shown; nothing above yet.
    watermark: Place,
    scan: Scan,
    buffer: VecDeque<FeedRow>,
    done: bool,
}

impl Reads {
    /// Public events of a tenant, newest first.
    pub async fn feed(
        &self,
        organization: OrganizationId,
        query: &FeedQuery,
        page: &PageRequest,
    ) -> Result<Page<PublicEvent>, ReadError> {
        let after = page.after.as_deref().map(positions_of).transpose()?;
        self.merged_feed(organization, query, after, page.limit(), Direction::Backward)
            .await
    }

    /// Public events of a tenant after a vector of positions, oldest first; a shard that the vector does not name is read
    /// from its beginning.
    pub async fn feed_after(
        &self,
        organization: OrganizationId,
        query: &FeedQuery,
        after: &Positions,
        limit: usize,
    ) -> Result<Page<PublicEvent>, ReadError> {
        let limit = PageRequest::first(limit).limit();
        self.merged_feed(
            organization,
            query,
            Some(after.clone()),
            limit,
            Direction::Forward,
        )
        .await
    }

    async fn merged_feed(
        &self,
        organization: OrganizationId,
        query: &FeedQuery,
        after: Option<Positions>,
        limit: usize,
        direction: Direction,
    ) -> Result<Page<PublicEvent>, ReadError> {
        let families = ViewName::Feed.families(&self.registry);
        let ats: Vec<At> = families.into_iter().map(|f| self.at(ViewName::Feed, f)).collect();
        let (mut lanes, mut bounds) = self.feed_lanes(organization, &ats, after, direction).await?;
        let (mut items, mut examined) = (Vec::new(), 0);
        loop {
            for lane in lanes
                .iter_mut()
                .filter(|lane| lane.buffer.is_empty() && !lane.done)
            {
                self.fill(lane, &ats, limit).await?;
            }
            let Some(row) = next_row(&mut lanes, direction) else {
                return Ok(Page { items, next: None });
            };
            examined += 1;
            // What begins behind a part of an event begins with the whole event again: twice rather than never.
            let before = (!row.also.is_empty()).then(|| cursor_of(&bounds));
            if let Some(place) = bounds.get_mut(&row.shard) {
                place.position = row.pos;
            }
            let mut public = row.public();
            public.retain(|event| query.passes(event.vault_id, &event.event_type));
            if matches!(direction, Direction::Backward) {
                public.reverse();
            }
            let behind = public.len();
            for (n, row) in public.into_iter().enumerate() {
                let cursor = match &before {
                    Some(before) if n + 1 < behind => before.clone(),
                    _ => cursor_of(&bounds),
                };
                items.push(Edge { cursor, row });
            }
            // A page ends behind a whole event, so it may be longer by what its last one means.
            if items.len() >= limit || examined == MAX_EXAMINED {
                let more = lanes.iter().any(|lane| !lane.buffer.is_empty() || !lane.done);
                return Ok(Page {
                    items,
                    next: more.then(|| cursor_of(&bounds)),
                });
            }
        }
    }

    async fn feed_lanes(
        &self,
        organization: OrganizationId,
        ats: &[At],
        after: Option<Positions>,
        direction: Direction,
    ) -> Result<(Vec<Lane>, BTreeMap<ShardNumber, Place>), ReadError> {
        let (mut lanes, mut bounds) = (Vec::new(), BTreeMap::new());
        for (i, at) in ats.iter().enumerate() {
            for (shard, watermark) in self.store.watermarks(&at.view_ref()).await? {
                let given = after.as_ref().and_then(|a| a.0.get(&shard)).copied();
                if given.is_some_and(|g| g.position > 0 && g.incarnation != watermark.incarnation) {
                    return Err(ReadError::OtherLife { shard });
                }
                let fresh = match (direction, &after) {
                    // A shard that was born after a newest-first list began is not part of it.
                    (Direction::Backward, Some(_)) => 0,
                    (Direction::Backward, None) => watermark.position + 1,
                    (Direction::Forward, _) => 0,
                };
                let position = given.map_or(fresh, |g| g.position);
                bounds.insert(
                    shard,
                    Place {
                        incarnation: watermark.incarnation,
                        position,
                    },
                );
                let partition = vec![t(organization), n(shard.0.into())];
                let scan = scan(tables::FEED.name, partition, Some(vec![n(position)]), direction);
                lanes.push(Lane {
                    shard,
                    at: i,
                    watermark,
                    scan,
                    buffer: VecDeque::new(),
                    done: false,
                });
            }
        }
        Ok((lanes, bounds))
    }

    async fn fill(&self, lane: &mut Lane, ats: &[At], limit: usize) -> Result<(), ReadError> {
        lane.scan.limit = limit.clamp(16, MAX_SCAN);
        let rows = self.scan(&ats[lane.at], &lane.scan).await?;
        lane.done = rows.len() < lane.scan.limit;
        lane.scan.after = rows
            .last()
            .map(|row| row.clustering.clone())
            .or_else(|| lane.scan.after.take());
        for row in rows {
            let row: FeedRow = decode(tables::FEED.name, &row.value)?;
            debug_assert_eq!(row.shard, lane.shard, "a partition holds one shard");
            if row.pos <= lane.watermark.position {
                lane.buffer.push_back(row);
            } else if matches!(lane.scan.direction, Direction::Forward) {
                lane.done = true;
            }
        }
        Ok(())
    }
}

/// Takes the next row in the order of the shards' clocks; inside a shard always in order of position.
fn next_row(lanes: &mut [Lane], direction: Direction) -> Option<FeedRow> {
    let heads = lanes
        .iter()
        .enumerate()
        .filter_map(|(i, l)| l.buffer.front().map(|r| ((r.hlc, r.shard), i)));
    let best = match direction {
        Direction::Forward => heads.min(),
        Direction::Backward => heads.max(),
    };
    best.and_then(|(_, i)| lanes[i].buffer.pop_front())
}

fn cursor_of(bounds: &BTreeMap<ShardNumber, Place>) -> Vec<u8> {
    let parts = bounds
        .iter()
        .flat_map(|(shard, place)| [n(shard.0.into()), n(place.incarnation.into()), n(place.position)]);
    cursor(&parts.collect::<Vec<_>>())
}

/// The vector of positions in a feed's cursor; for resuming a subscription from a page.
pub fn positions_of(cursor: &[u8]) -> Result<Positions, ReadError> {
    if !cursor.len().is_multiple_of(27) {
        return Err(ReadError::Cursor);
    }
    let mut positions = Positions::default();
    for entry in cursor.chunks_exact(27) {
        let parts = parts(entry, "nnn")?;
        let [
            KeyPart::Number(shard),
            KeyPart::Number(incarnation),
            KeyPart::Number(position),
        ] = parts[..]
        else {
            return Err(ReadError::Cursor);
        };
        let shard = ShardNumber(u16::try_from(shard).map_err(|_| ReadError::Cursor)?);
        let incarnation = u32::try_from(incarnation).map_err(|_| ReadError::Cursor)?;
        positions.0.insert(
            shard,
            Place {
                incarnation,
                position,
            },
        );
    }
    Ok(positions)
}
