//! Vaults of a tenant.
//!
//! Vaults are listed by age or name from tables; by balance or activity from at most [`MAX_MERGE`] rows in memory. What
//! they hold lives in the chains' stores, and is brought together here.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use vaultstream_domain::ports::view_store::{Direction, KeyPart, MAX_SCAN, Scan};
use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::vault::v1::Tier;
use vaultstream_event_schemas::{Amount, AssetId, Family, OrganizationId, VaultId};

use super::merge::{Merge, scan};
use super::page::{Edge, Page, PageRequest, cursor, parts};
use super::{MAX_EXAMINED, MAX_MERGE, ReadError, Reads, decode};
use crate::rows::{ActivityRow, BalanceRow, VaultRow};
use crate::tables::{self, folded, key, t};
use crate::view_name::ViewName;

/// Which vaults; every condition that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultFilter {
    /// In this status.
    pub status: Option<VaultStatus>,
    /// Of this tier.
    pub tier: Option<Tier>,
    /// With a name that begins so; case does not matter.
    pub name_prefix: Option<String>,
}

/// The order of a list of vaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VaultSort {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// By name.
    Name,
    /// By name, from the end of the alphabet.
    NameDescending,
    /// By what they hold of an asset, most first; needs at most [`MAX_MERGE`] vaults.
    Balance(AssetId),
    /// By their newest event on any chain, newest first; needs at most [`MAX_MERGE`] vaults.
    Activity,
}

impl VaultFilter {
    fn prefix(&self) -> Option<String> {
        self.name_prefix.as_deref().map(folded).filter(|p| !p.is_empty())
    }

    fn passes(&self, row: &VaultRow) -> bool {
        self.status.is_none_or(|s| s == row.status)
            && self.tier.is_none_or(|tier| tier == row.tier)
            && self.prefix().is_none_or(|p| folded(&row.name).starts_with(&p))
    }
}

impl Reads {
    /// A vault of a tenant.
    pub async fn vault(
        &self,
        organization: OrganizationId,
        id: VaultId,
    ) -> Result<Option<VaultRow>, ReadError> {
        Ok(self.vaults_by_id(organization, &[id]).await?.pop().flatten())
    }

    /// Vaults of a tenant, in the order asked; at most [`MAX_SCAN`].
    pub async fn vaults_by_id(
        &self,
        organization: OrganizationId,
        ids: &[VaultId],
    ) -> Result<Vec<Option<VaultRow>>, ReadError> {
        let at = self.at(ViewName::Vaults, Family::Core);
        let keys: Vec<_> = ids
            .iter()
            .map(|id| key(&tables::VAULT, [t(organization), t(id)], []))
            .collect();
        self.rows(&at, &keys).await
    }

    /// The vaults of a tenant.
    pub async fn vaults(
        &self,
        organization: OrganizationId,
        filter: &VaultFilter,
        sort: &VaultSort,
        page: &PageRequest,
    ) -> Result<Page<VaultRow>, ReadError> {
        let (table, form, direction) = match sort {
            VaultSort::Newest => (&tables::VAULT_BY_CREATED, "nt", Direction::Backward),
            VaultSort::Oldest => (&tables::VAULT_BY_CREATED, "nt", Direction::Forward),
            VaultSort::Name => (&tables::VAULT_BY_NAME, "tt", Direction::Forward),
            VaultSort::NameDescending => (&tables::VAULT_BY_NAME, "tt", Direction::Backward),
            VaultSort::Balance(asset) => {
                let ranks = self.held_by_vault(organization, asset).await?;
                return self.ranked(organization, filter, page, &ranks).await;
            }
            VaultSort::Activity => {
                let ranks = self.activity_by_vault(organization).await?;
                return self.ranked(organization, filter, page, &ranks).await;
            }
        };
        let by_name = table.name == tables::VAULT_BY_NAME.name;
        let prefix = filter.prefix().filter(|_| by_name);
        let after = match (&page.after, &prefix, direction) {
            (Some(cursor), ..) => Some(parts(cursor, form)?),
            (None, Some(p), Direction::Forward) => Some(vec![t(p), t("")]),
            (None, Some(p), Direction::Backward) => Some(vec![t(format!("{p}\u{10ffff}")), t("~")]),
            (None, None, _) => None,
        };
        let ats = [self.at(ViewName::Vaults, Family::Core)];
        let scans = vec![(0, scan(table.name, vec![t(organization)], after, direction))];
        let mut merge = Merge::new(self, &ats, scans, direction);
        self.walk(organization, filter, page.limit(), prefix.as_deref(), &mut merge)
            .await
    }

    async fn walk(
        &self,
        organization: OrganizationId,
        filter: &VaultFilter,
        limit: usize,
        prefix: Option<&str>,
        merge: &mut Merge<'_>,
    ) -> Result<Page<VaultRow>, ReadError> {
        let (mut items, mut examined) = (Vec::new(), 0);
        loop {
            let entries = merge
                .take((limit - items.len()).max(if examined > 0 { 128 } else { 1 }))
                .await?;
            let Some(last) = entries.last().map(|e| cursor(&e.row.clustering)) else {
                return Ok(Page { items, next: None });
            };
            examined += entries.len();
            let count = entries.len();
            let keys = entries.iter().filter_map(|e| e.row.clustering.last());
            let keys: Vec<_> = keys
                .map(|id| key(&tables::VAULT, [t(organization), id.clone()], []))
                .collect();
            let rows = self.rows::<VaultRow>(&merge.ats[0], &keys).await?;
            for (i, (entry, row)) in entries.iter().zip(rows).enumerate() {
                if prefix.is_some_and(|p| !begins_with(entry.row.clustering.first(), p)) {
                    return Ok(Page { items, next: None });
                }
                let here = cursor(&entry.row.clustering);
                items.extend(row.filter(|row| filter.passes(row)).map(|row| Edge {
                    cursor: here.clone(),
                    row,
                }));
                if items.len() == limit {
                    let more = i + 1 < count || merge.has_more().await?;
                    return Ok(Page {
                        items,
                        next: more.then_some(here),
                    });
                }
            }
            if examined >= MAX_EXAMINED {
                return Ok(Page {
                    items,
                    next: Some(last),
                });
            }
        }
    }

    /// All vaults of a tenant that pass, sorted by a rank in memory, the highest first.
    async fn ranked(
        &self,
        organization: OrganizationId,
        filter: &VaultFilter,
        page: &PageRequest,
        ranks: &BTreeMap<VaultId, Amount>,
    ) -> Result<Page<VaultRow>, ReadError> {
        let rank = |id: VaultId| ranks.get(&id).copied().unwrap_or_default();
        let mut rows = self.every_vault(organization).await?;
        rows.retain(|row| filter.passes(row));
        rows.sort_by_key(|row| Reverse((rank(row.id), row.id)));
        if let Some(after) = &page.after {
            let bound = match parts(after, "tt")?.as_slice() {
                [KeyPart::Text(rank), KeyPart::Text(id)] => (
                    rank.parse().map_err(|_| ReadError::Cursor)?,
                    id.parse().map_err(|_| ReadError::Cursor)?,
                ),
                _ => return Err(ReadError::Cursor),
            };
            rows.retain(|row| (rank(row.id), row.id) < bound);
        }
        let limit = page.limit();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let items: Vec<_> = rows
            .into_iter()
            .map(|row| Edge {
                cursor: cursor(&[t(rank(row.id)), t(row.id)]),
                row,
            })
            .collect();
        let next = items.last().filter(|_| more).map(|edge| edge.cursor.clone());
        Ok(Page { items, next })
    }

    async fn every_vault(&self, organization: OrganizationId) -> Result<Vec<VaultRow>, ReadError> {
        let at = self.at(ViewName::Vaults, Family::Core);
        let mut list = scan(
            tables::VAULT_BY_CREATED.name,
            vec![t(organization)],
            None,
            Direction::Forward,
        );
        let mut rows = Vec::new();
        loop {
            let chunk = self.scan(&at, &list).await?;
            list.after = chunk.last().map(|row| row.clustering.clone());
            let keys = chunk.iter().filter_map(|row| row.clustering.last());
            let keys: Vec<_> = keys
                .map(|id| key(&tables::VAULT, [t(organization), id.clone()], []))
                .collect();
            rows.extend(self.rows::<VaultRow>(&at, &keys).await?.into_iter().flatten());
            if rows.len() > MAX_MERGE {
                return Err(ReadError::Narrow { of: "vaults" });
            }
            if chunk.len() < MAX_SCAN {
                return Ok(rows);
            }
        }
    }

    async fn held_by_vault(
        &self,
        organization: OrganizationId,
        asset: &AssetId,
    ) -> Result<BTreeMap<VaultId, Amount>, ReadError> {
        let mut held: BTreeMap<VaultId, Amount> = BTreeMap::new();
        for family in self.chain_families(Some(&asset.chain())) {
            let at = self.at(ViewName::Balances, family);
            let all = scan(
                tables::BALANCE_BY_ORGANIZATION.name,
                vec![t(organization)],
                None,
                Direction::Forward,
            );
            let rows: Vec<BalanceRow> = self
                .whole(
                    &at,
                    Scan {
                        prefix: vec![t(asset)],
                        ..all
                    },
                    "balances",
                )
                .await?;
            for row in rows {
                let sum = held.entry(row.vault_id).or_default();
                *sum = sum
                    .checked_add(row.minor)
                    .unwrap_or(Amount::from_be_bytes([0xff; 32]));
            }
        }
        Ok(held)
    }

    async fn activity_by_vault(
        &self,
        organization: OrganizationId,
    ) -> Result<BTreeMap<VaultId, Amount>, ReadError> {
        let mut newest: BTreeMap<VaultId, Amount> = BTreeMap::new();
        for family in self.chain_families(None) {
            let at = self.at(ViewName::Transfers, family);
            let mut list = scan(
                tables::ACTIVITY.name,
                vec![t(organization)],
                None,
                Direction::Forward,
            );
            loop {
                let chunk = self.scan(&at, &list).await?;
                list.after = chunk.last().map(|row| row.clustering.clone());
                for row in &chunk {
                    let activity: ActivityRow = decode(tables::ACTIVITY.name, &row.value)?;
                    if let Some(vault) = vault_of(row.clustering.first()) {
                        let slot = newest.entry(vault).or_default();
                        *slot = (*slot).max(Amount::from_u128(activity.hlc.0.into()));
                    }
                }
                if newest.len() > MAX_MERGE {
                    return Err(ReadError::Narrow { of: "vaults" });
                }
                if chunk.len() < MAX_SCAN {
                    break;
                }
            }
        }
        Ok(newest)
    }
}

fn begins_with(part: Option<&KeyPart>, prefix: &str) -> bool {
    matches!(part, Some(KeyPart::Text(text)) if text.starts_with(prefix))
}

fn vault_of(part: Option<&KeyPart>) -> Option<VaultId> {
    match part {
        Some(KeyPart::Text(text)) => text.parse().ok(),
        _ => None,
    }
}
