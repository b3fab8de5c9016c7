//! Loaders of one request: names and rows that many entries of a list share are read once and together.
//!
//! A loader knows its tenant and asks for nothing else; it lives as long as its request. A subscription keeps nothing
//! between items, because its items are about the present.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use futures::StreamExt;
use futures::stream;
use vaultstream_event_schemas::{AccountId, OrganizationId, VaultId};
use vaultstream_projectors::read::Reads;
use vaultstream_projectors::rows::{AccountRow, BalanceRow, VaultRow};

use crate::past::Pasts;
use crate::refusal::Refusal;

/// Reads asked of the store at once.
const ABREAST: usize = 8;
/// Keys of one batch.
const BATCH: usize = 1_000;

/// The accounts of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountsOf(pub VaultId);

/// The balances of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalancesOf(pub VaultId);

/// Reads rows of one tenant.
pub struct Rows {
    reads: Reads,
    organization: OrganizationId,
}

/// The loaders of one request.
pub struct Loaders {
    rows: DataLoader<Rows, HashMapCache>,
    pasts: Pasts,
}

impl Loaders {
    /// Loaders for one query.
    pub fn of_query(reads: Reads, organization: OrganizationId) -> Self {
        let rows = DataLoader::with_cache(
            Rows { reads, organization },
            tokio::spawn,
            HashMapCache::default(),
        );
        Self {
            rows: rows.delay(Duration::ZERO).max_batch_size(BATCH),
            pasts: Pasts::default(),
        }
    }

    /// Loaders for one subscription.
    pub fn of_subscription(reads: Reads, organization: OrganizationId) -> Self {
        let loaders = Self::of_query(reads, organization);
        loaders.rows.enable_all_cache(false);
        loaders
    }

    /// The pasts the request asks about.
    pub const fn pasts(&self) -> &Pasts {
        &self.pasts
    }

    /// A vault of the tenant.
    pub async fn vault(&self, id: VaultId) -> Result<Option<Arc<VaultRow>>, Refusal> {
        self.rows.load_one(id).await
    }

    /// An account of the tenant.
    pub async fn account(&self, id: AccountId) -> Result<Option<Arc<AccountRow>>, Refusal> {
        self.rows.load_one(id).await
    }

    /// The accounts of a vault.
    pub async fn accounts(&self, vault: VaultId) -> Result<Arc<[Arc<AccountRow>]>, Refusal> {
        Ok(self
            .rows
            .load_one(AccountsOf(vault))
            .await?
            .unwrap_or_else(|| Arc::from([])))
    }

    /// The balances of a vault.
    pub async fn balances(&self, vault: VaultId) -> Result<Arc<[BalanceRow]>, Refusal> {
        Ok(self
            .rows
            .load_one(BalancesOf(vault))
            .await?
            .unwrap_or_else(|| Arc::from([])))
    }
}

impl Loader<VaultId> for Rows {
    type Value = Arc<VaultRow>;
    type Error = Refusal;

    async fn load(&self, keys: &[VaultId]) -> Result<HashMap<VaultId, Self::Value>, Refusal> {
        let rows = self.reads.vaults_by_id(self.organization, keys).await?;
        Ok(rows
            .into_iter()
            .flatten()
            .map(|row| (row.id, Arc::new(row)))
            .collect())
    }
}

impl Loader<AccountId> for Rows {
    type Value = Arc<AccountRow>;
    type Error = Refusal;

    async fn load(&self, keys: &[AccountId]) -> Result<HashMap<AccountId, Self::Value>, Refusal> {
        let found = each(keys, |id| async move {
            let row = self.reads.account(self.organization, id).await?;
            Ok(row.map(|row| (id, Arc::new(row))))
        });
        found.await
    }
}

impl Loader<AccountsOf> for Rows {
    type Value = Arc<[Arc<AccountRow>]>;
    type Error = Refusal;

    async fn load(&self, keys: &[AccountsOf]) -> Result<HashMap<AccountsOf, Self::Value>, Refusal> {
        let found = each(keys, |key| async move {
            let rows = self.reads.accounts_of_vault(self.organization, key.0).await?;
            Ok(Some((key, rows.into_iter().map(Arc::new).collect())))
        });
        found.await
    }
}

impl Loader<BalancesOf> for Rows {
    type Value = Arc<[BalanceRow]>;
    type Error = Refusal;

    async fn load(&self, keys: &[BalancesOf]) -> Result<HashMap<BalancesOf, Self::Value>, Refusal> {
        let found = each(keys, |key| async move {
            let rows = self.reads.balances_of_vault(self.organization, key.0).await?;
            Ok(Some((key, rows.into())))
        });
        found.await
    }
}

/// Reads key by key, several abreast.
async fn each<K, V, F, A>(keys: &[K], read: F) -> Result<HashMap<K, V>, Refusal>
where
    K: Copy + Eq + std::hash::Hash,
    F: Fn(K) -> A,
    A: Future<Output = Result<Option<(K, V)>, Refusal>>,
{
    let answers: Vec<_> = stream::iter(keys.to_vec())
        .map(read)
        .buffered(ABREAST)
        .collect()
        .await;
    let mut found = HashMap::with_capacity(keys.len());
    for answer in answers {
        found.extend(answer?);
    }
    Ok(found)
}
