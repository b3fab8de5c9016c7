//! Transfers with their executions: by id, and as lists by tenant, vault, status, asset, age.
//!
//! A list is merged over the chains by (the shard's clock at the request, id); both never change, so pages are stable.
//! The most selective table that a filter has is read; what is left of the filter is checked on the rows.

use serde::Serialize;
use vaultstream_domain::ports::view_store::{Direction, KeyPart, RowKey, Scan};
use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::{
    AssetId, ChainId, ExecutionId, OrganizationId, ShardNumber, TransferId, TransferStatus, VaultId,
};

use super::merge::{Entry, Merge, scan};
use super::page::{Edge, Page, PageRequest, cursor, parts};
use super::{At, MAX_EXAMINED, ReadError, Reads};
use crate::rows::{ExecutionRow, OpenRow, TransferRow};
use crate::tables::{self, key, n, t};
use crate::view_name::ViewName;

/// A transfer and its on-chain life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// The transfer.
    #[serde(flatten)]
    pub row: TransferRow,
    /// Its executions, oldest first; replaces the ids in the row.
    #[serde(rename = "executionRows")]
    pub executions: Vec<ExecutionRow>,
}

/// Which transfers; every condition that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransferFilter {
    /// Paid by this vault.
    pub vault: Option<VaultId>,
    /// In this status.
    pub status: Option<TransferStatus>,
    /// Not over yet (true), or over (false).
    pub open: Option<bool>,
    /// In this asset.
    pub asset: Option<AssetId>,
    /// On this chain.
    pub chain: Option<ChainId>,
    /// Requested at or after this moment, by the shard's clock.
    pub created_from: Option<Timestamp>,
    /// Requested before this moment, by the shard's clock.
    pub created_until: Option<Timestamp>,
}

/// The order of a list of transfers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransferSort {
    /// Newest request first.
    #[default]
    Newest,
    /// Oldest request first.
    Oldest,
}

impl TransferFilter {
    fn passes(&self, row: &TransferRow) -> bool {
        self.vault.is_none_or(|v| v == row.vault_id)
            && self.status.is_none_or(|s| s == row.status)
            && self.open.is_none_or(|open| open != row.status.is_terminal())
            && self.asset.as_ref().is_none_or(|a| *a == row.asset)
    }

    /// The partitions to merge: a table and its partition key.
    fn partitions(&self, organization: OrganizationId) -> Vec<(&'static str, Vec<KeyPart>)> {
        let by_status = |s: &TransferStatus| (tables::TRANSFER_BY_STATUS.name, vec![t(organization), t(s)]);
        match (self.vault, self.status, self.open, &self.asset) {
            (Some(vault), ..) => vec![(tables::TRANSFER_BY_VAULT.name, vec![t(organization), t(vault)])],
            (_, Some(status), ..) => vec![by_status(&status)],
            (_, _, Some(true), _) => TransferStatus::ALL
                .iter()
                .filter(|s| !s.is_terminal())
                .map(by_status)
                .collect(),
            (.., Some(asset)) => vec![(tables::TRANSFER_BY_ASSET.name, vec![t(organization), t(asset)])],
            _ => vec![(tables::TRANSFER_BY_ORGANIZATION.name, vec![t(organization)])],
        }
    }

    /// The exclusive bound a list begins at, when no cursor says so.
    fn start(&self, direction: Direction) -> Option<Vec<KeyPart>> {
        match direction {
            Direction::Backward => self.created_until.map(|until| vec![n(micros(until)), t("")]),
            Direction::Forward => {
                let before = self.created_from.and_then(|from| micros(from).checked_sub(1));
                before.map(|before| vec![n(before), t("~")])
            }
        }
    }

    /// Whether an entry lies behind the far end of the range.
    fn is_beyond(&self, entry: &Entry, direction: Direction) -> bool {
        let Some(KeyPart::Number(created)) = entry.row.clustering.first() else {
            return false;
        };
        match direction {
            Direction::Backward => self.created_from.is_some_and(|from| *created < micros(from)),
            Direction::Forward => self.created_until.is_some_and(|until| *created >= micros(until)),
        }
    }
}

fn micros(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_micros()).unwrap_or(0)
}

impl Reads {
    /// A transfer of a tenant.
    pub async fn transfer(
        &self,
        organization: OrganizationId,
        id: TransferId,
    ) -> Result<Option<Transfer>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Transfers, id.shard()) else {
            return Ok(None);
        };
        let row = self
            .row::<TransferRow>(&at, key(&tables::TRANSFER, [t(organization), t(id)], []))
            .await?;
        let transfers = self
            .with_executions(&[at], row.into_iter().map(|row| (0, row)).collect())
            .await?;
        Ok(transfers.into_iter().next())
    }

    /// An execution of a tenant.
    pub async fn execution(
        &self,
        organization: OrganizationId,
        id: ExecutionId,
    ) -> Result<Option<ExecutionRow>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Transfers, id.shard()) else {
            return Ok(None);
        };
        self.row(&at, key(&tables::EXECUTION, [t(organization), t(id)], []))
            .await
    }

    /// The transfers of a tenant.
    pub async fn transfers(
        &self,
        organization: OrganizationId,
        filter: &TransferFilter,
        sort: TransferSort,
        page: &PageRequest,
    ) -> Result<Page<Transfer>, ReadError> {
        let direction = match sort {
            TransferSort::Newest => Direction::Backward,
            TransferSort::Oldest => Direction::Forward,
        };
        let after = match &page.after {
            Some(cursor) => Some(parts(cursor, "nt")?),
            None => filter.start(direction),
        };
        let chain = filter
            .chain
            .clone()
            .or_else(|| filter.asset.as_ref().map(AssetId::chain));
        let families = self.chain_families(chain.as_ref());
        let ats: Vec<At> = families
            .into_iter()
            .map(|f| self.at(ViewName::Transfers, f))
            .collect();
        let scans = ats
            .iter()
            .enumerate()
            .flat_map(|(i, _)| filter.partitions(organization).into_iter().map(move |p| (i, p)))
            .map(|(i, (table, partition))| (i, scan(table, partition, after.clone(), direction)))
            .collect();
        let mut merge = Merge::new(self, &ats, scans, direction);
        let (found, next) = self
            .filtered(organization, filter, page.limit(), direction, &mut merge)
            .await?;
        let (cursors, rows): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let transfers = self.with_executions(&ats, rows).await?;
        let items = cursors
            .into_iter()
            .zip(transfers)
            .map(|(cursor, row)| Edge { cursor, row })
            .collect();
        Ok(Page { items, next })
    }

    /// Walks a merged index until the page is full, the list ends, or enough was looked at.
    async fn filtered(
        &self,
        organization: OrganizationId,
        filter: &TransferFilter,
        limit: usize,
        direction: Direction,
        merge: &mut Merge<'_>,
    ) -> Result<(Found, Option<Vec<u8>>), ReadError> {
        let (mut found, mut examined): (Found, usize) = (Vec::new(), 0);
        loop {
            let entries = merge
                .take((limit - found.len()).max(if examined > 0 { 128 } else { 1 }))
                .await?;
            let Some(last) = entries.last().map(|e| cursor(&e.row.clustering)) else {
                return Ok((found, None));
            };
            examined += entries.len();
            let count = entries.len();
            let rows = self.transfer_rows(organization, merge.ats, &entries).await?;
            for (i, (entry, row)) in entries.iter().zip(rows).enumerate() {
                if filter.is_beyond(entry, direction) {
                    return Ok((found, None));
                }
                let here = cursor(&entry.row.clustering);
                found.extend(
                    row.filter(|row| filter.passes(row))
                        .map(|row| (here.clone(), (entry.at, row))),
                );
                if found.len() == limit {
                    let more = i + 1 < count || merge.has_more().await?;
                    return Ok((found, more.then_some(here)));
                }
            }
            if examined >= MAX_EXAMINED {
                return Ok((found, Some(last)));
            }
        }
    }

    async fn transfer_rows(
        &self,
        organization: OrganizationId,
        ats: &[At],
        entries: &[Entry],
    ) -> Result<Vec<Option<TransferRow>>, ReadError> {
        let wanted = entries.iter().map(|entry| {
            let id = entry.row.clustering.last().cloned().unwrap_or_else(|| t(""));
            (entry.at, key(&tables::TRANSFER, [t(organization), id], []))
        });
        self.scattered(ats, wanted.collect()).await
    }

    /// Rows of several stores, in the order asked.
    async fn scattered<T: serde::de::DeserializeOwned>(
        &self,
        ats: &[At],
        wanted: Vec<(usize, RowKey)>,
    ) -> Result<Vec<Option<T>>, ReadError> {
        let mut rows: Vec<Option<T>> = wanted.iter().map(|_| None).collect();
        for (i, at) in ats.iter().enumerate() {
            let places: Vec<usize> = (0..wanted.len()).filter(|w| wanted[*w].0 == i).collect();
            if places.is_empty() {
                continue;
            }
            let keys: Vec<RowKey> = places.iter().map(|w| wanted[*w].1.clone()).collect();
            for (place, row) in places.into_iter().zip(self.rows(at, &keys).await?) {
                rows[place] = row;
            }
        }
        Ok(rows)
    }

    async fn with_executions(
        &self,
        ats: &[At],
        rows: Vec<(usize, TransferRow)>,
    ) -> Result<Vec<Transfer>, ReadError> {
        let wanted = rows.iter().flat_map(|(at, row)| {
            row.executions
                .iter()
                .map(|id| (*at, key(&tables::EXECUTION, [t(row.organization_id), t(id)], [])))
        });
        let mut executions = self
            .scattered::<ExecutionRow>(ats, wanted.collect())
            .await?
            .into_iter();
        let joined = rows.into_iter().map(|(_, row)| {
            let executions = executions.by_ref().take(row.executions.len()).flatten().collect();
            Transfer { row, executions }
        });
        Ok(joined.collect())
    }

    /// Transfers and executions of a shard that are not over, oldest first, for workflows: hints, never decisions.
    pub async fn open_in_shard(
        &self,
        shard: ShardNumber,
        page: &PageRequest,
    ) -> Result<Page<OpenRow>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Transfers, shard) else {
            return Ok(Page::empty());
        };
        let after = page.after.as_deref().map(|c| parts(c, "nt")).transpose()?;
        let limit = page.limit();
        let open = scan(
            tables::OPEN.name,
            vec![n(shard.0.into())],
            after,
            Direction::Forward,
        );
        let mut rows = self
            .scan(
                &at,
                &Scan {
                    limit: limit + 1,
                    ..open
                },
            )
            .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| cursor(&row.clustering));
        let items = rows.iter().map(|row| {
            let value = super::decode(tables::OPEN.name, &row.value)?;
            Ok(Edge {
                cursor: cursor(&row.clustering),
                row: value,
            })
        });
        Ok(Page {
            items: items.collect::<Result<_, ReadError>>()?,
            next,
        })
    }
}

/// Cursor, store and row of each transfer found.
type Found = Vec<(Vec<u8>, (usize, TransferRow))>;
