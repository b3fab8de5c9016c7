//! Accounts and balances of a tenant, over all chains.

use vaultstream_domain::ports::view_store::{Direction, KeyPart};
use vaultstream_event_schemas::{AccountId, OrganizationId, VaultId};

use super::merge::scan;
use super::{At, ReadError, Reads};
use crate::rows::{AccountRow, BalanceRow};
use crate::tables::{self, key, t};
use crate::view_name::ViewName;

impl Reads {
    /// An account of a tenant.
    pub async fn account(
        &self,
        organization: OrganizationId,
        id: AccountId,
    ) -> Result<Option<AccountRow>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Balances, id.shard()) else {
            return Ok(None);
        };
        self.row(&at, key(&tables::ACCOUNT, [t(organization), t(id)], []))
            .await
    }

    /// The accounts of a vault, by chain and id.
    pub async fn accounts_of_vault(
        &self,
        organization: OrganizationId,
        vault: VaultId,
    ) -> Result<Vec<AccountRow>, ReadError> {
        let mut accounts = Vec::new();
        for at in self.balances() {
            let list = scan(
                tables::ACCOUNT_BY_VAULT.name,
                vec![t(organization), t(vault)],
                None,
                Direction::Forward,
            );
            let entries = self.scan(&at, &list).await?;
            let keys = entries.iter().filter_map(|row| row.clustering.last());
            let keys: Vec<_> = keys
                .map(|id| key(&tables::ACCOUNT, [t(organization), id.clone()], []))
                .collect();
            accounts.extend(self.rows::<AccountRow>(&at, &keys).await?.into_iter().flatten());
        }
        Ok(accounts)
    }

    /// What a vault's accounts hold, by asset and account.
    pub async fn balances_of_vault(
        &self,
        organization: OrganizationId,
        vault: VaultId,
    ) -> Result<Vec<BalanceRow>, ReadError> {
        self.balances_in(tables::BALANCE_BY_VAULT.name, vec![t(organization), t(vault)])
            .await
    }

    /// What all accounts of a tenant hold, by asset and account; at most [`MAX_MERGE`] a chain.
    pub async fn balances_of_organization(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<BalanceRow>, ReadError> {
        self.balances_in(tables::BALANCE_BY_ORGANIZATION.name, vec![t(organization)])
            .await
    }

    async fn balances_in(
        &self,
        table: &'static str,
        partition: Vec<KeyPart>,
    ) -> Result<Vec<BalanceRow>, ReadError> {
        let mut balances = Vec::new();
        for at in self.balances() {
            let all = scan(table, partition.clone(), None, Direction::Forward);
            balances.extend(self.whole::<BalanceRow>(&at, all, "balances").await?);
        }
        balances.sort_by(|a, b| (&a.asset, a.account_id).cmp(&(&b.asset, b.account_id)));
        Ok(balances)
    }

    fn balances(&self) -> Vec<At> {
        self.chain_families(None)
            .into_iter()
            .map(|f| self.at(ViewName::Balances, f))
            .collect()
    }
}
