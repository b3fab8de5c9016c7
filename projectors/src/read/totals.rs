//! Totals of a tenant: the shards' parts added up.

use std::collections::BTreeMap;

use vaultstream_domain::ports::view_store::Direction;
use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::{AccountStatus, Amount, AssetId, Family, OrganizationId, TransferStatus};

use super::merge::scan;
use super::{ReadError, Reads};
use crate::rows::{Metric, TotalsRow};
use crate::tables::{self, t};
use crate::view_name::ViewName;

/// Sums over a whole organization; what is zero is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Vaults by status.
    pub vaults: BTreeMap<VaultStatus, u64>,
    /// Accounts by status.
    pub accounts: BTreeMap<AccountStatus, u64>,
    /// Transfers by status.
    pub transfers: BTreeMap<TransferStatus, u64>,
    /// Minor units held, by asset.
    pub assets: BTreeMap<AssetId, Amount>,
}

impl Totals {
    /// Transfers that are not over yet.
    pub fn open_transfers(&self) -> u64 {
        self.transfers
            .iter()
            .filter(|(status, _)| !status.is_terminal())
            .map(|(_, count)| count)
            .sum()
    }
}

impl Reads {
    /// The totals of a tenant.
    pub async fn totals(&self, organization: OrganizationId) -> Result<Totals, ReadError> {
        let mut sums: BTreeMap<(Metric, String), Amount> = BTreeMap::new();
        let mut ats = vec![self.at(ViewName::Vaults, Family::Core)];
        for family in self.chain_families(None) {
            ats.push(self.at(ViewName::Balances, family.clone()));
            ats.push(self.at(ViewName::Transfers, family));
        }
        for at in ats {
            let all = scan(
                tables::TOTALS.name,
                vec![t(organization)],
                None,
                Direction::Forward,
            );
            for row in self.whole::<TotalsRow>(&at, all, "totals").await? {
                let sum = sums.entry((row.metric, row.label)).or_default();
                *sum = sum.wrapping_add(row.count);
            }
        }
        let mut totals = Totals::default();
        for ((metric, label), sum) in sums.into_iter().filter(|(_, sum)| !sum.is_zero()) {
            let count = u64::try_from(sum.to_u128().unwrap_or(u128::MAX)).unwrap_or(u64::MAX);
            match metric {
                Metric::Vaults => totals
                    .vaults
                    .extend(label.parse().ok().map(|status| (status, count))),
                Metric::Accounts => totals
                    .accounts
                    .extend(label.parse().ok().map(|status| (status, count))),
                Metric::Transfers => totals
                    .transfers
                    .extend(label.parse().ok().map(|status| (status, count))),
                Metric::Assets => totals.assets.extend(label.parse().ok().map(|asset| (asset, sum))),
            }
        }
        Ok(totals)
    }
}
