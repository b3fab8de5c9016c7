//! Vaults and lists of them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use vaultstream_event_schemas::{AssetId, VaultId};
use vaultstream_projectors::read;
use vaultstream_projectors::rows::{BalanceRow, VaultRow};

use super::account::Account;
use super::balance::{AssetTotal, Balance};
use super::connection::{List, connection};
use super::loader::Loaders;
use super::moment::Moment;
use super::scalar::{Timestamp, int};
use super::transfer::{TransferConnection, TransferFilter, TransferSort, transfers};
use super::{caller, services};
use crate::limits::page_cost;
use crate::refusal::Refusal;

/// The life of a vault.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::status::VaultStatus",
    rename_items = "snake_case"
)]
pub enum VaultStatus {
    /// Takes commands.
    Active,
    /// Ended; history stays readable.
    Archived,
}

/// How exposed a vault's keys are.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::vault::v1::Tier",
    rename_items = "snake_case"
)]
pub enum Tier {
    /// Signs without people.
    Hot,
    /// Signs with people.
    Warm,
    /// Signs offline.
    Cold,
}

/// Which vaults; every condition that is set must hold.
#[derive(InputObject, Debug, Clone, Default)]
pub struct VaultFilter {
    /// In this status.
    status: Option<VaultStatus>,
    /// Of this tier.
    tier: Option<Tier>,
    /// With a name that begins so; case does not matter.
    name_prefix: Option<String>,
}

/// The order of a list of vaults.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[graphql(rename_items = "snake_case")]
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
    /// By what they hold of the asset in `sortAsset`, most first; for up to 10,000 vaults.
    Balance,
    /// By their newest event on any chain, newest first; for up to 10,000 vaults.
    Activity,
}

/// A vault: the owner of accounts.
#[derive(Debug, Clone)]
pub struct Vault(pub Arc<VaultRow>, pub Moment);

connection!(VaultConnection, VaultEdge, Vault);

#[Object]
impl Vault {
    /// The vault.
    pub async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How exposed its keys are.
    async fn tier(&self) -> Tier {
        self.0.tier.into()
    }

    /// Its state.
    async fn status(&self) -> VaultStatus {
        self.0.status.into()
    }

    /// When it was created.
    async fn created_at(&self) -> Timestamp {
        Timestamp(self.0.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> Timestamp {
        Timestamp(self.0.updated_at)
    }

    /// Counts its own events; the number in its ETag.
    async fn version(&self) -> i32 {
        int(self.0.version)
    }

    /// Its accounts.
    #[graphql(complexity = "1 + child_complexity")]
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<Account>> {
        if let Moment::Then(past) = &self.1 {
            let held = past.accounts_of(&self.0).await?;
            return Ok(held
                .iter()
                .map(|held| Account(Arc::new(held.0.clone()), self.1.clone()))
                .collect());
        }
        let rows = ctx.data::<Loaders>()?.accounts(self.0.id).await?;
        Ok(rows
            .iter()
            .map(|row| Account(Arc::clone(row), Moment::Now))
            .collect())
    }

    /// What its accounts hold, one entry an account and asset.
    #[graphql(complexity = "2 + child_complexity")]
    async fn balances(&self, ctx: &Context<'_>) -> Result<Vec<Balance>> {
        let rows = self.held(ctx).await?;
        Ok(rows.iter().map(|row| Balance::new(services(ctx), row)).collect())
    }

    /// What it holds per asset, all its accounts together.
    #[graphql(complexity = "1 + child_complexity")]
    async fn totals(&self, ctx: &Context<'_>) -> Result<Vec<AssetTotal>> {
        let rows = self.held(ctx).await?;
        Ok(AssetTotal::sums(services(ctx), &rows))
    }

    /// Its transfers; a list is of the present, so it is refused where `asOf` is given.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn transfers(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
        filter: Option<TransferFilter>,
        #[graphql(default)] sort: TransferSort,
    ) -> Result<TransferConnection> {
        self.1.only_now("lists of transfers")?;
        let mut filter = filter.unwrap_or_default().parsed()?;
        if filter.vault.is_some_and(|v| v != self.0.id) {
            return Err(Refusal::field("filter.vaultId", "the list is of another vault").into());
        }
        filter.vault = Some(self.0.id);
        Ok(transfers(ctx, &filter, sort, first, after.as_deref()).await?)
    }
}

impl Vault {
    /// A vault of the caller.
    pub async fn load(ctx: &Context<'_>, id: VaultId, moment: &Moment) -> Result<Self> {
        caller(ctx)?.require("vaults:read")?;
        let row = match moment {
            Moment::Now => ctx.data::<Loaders>()?.vault(id).await?,
            Moment::Then(past) => past.vault(id).await?.map(Arc::new),
        };
        Ok(Self(row.ok_or_else(|| Refusal::not_found("id"))?, moment.clone()))
    }

    /// What its accounts hold, or held.
    pub async fn held(&self, ctx: &Context<'_>) -> Result<Arc<[BalanceRow]>> {
        Ok(match &self.1 {
            Moment::Now => ctx.data::<Loaders>()?.balances(self.0.id).await?,
            Moment::Then(past) => past.balances_of(&self.0).await?.into(),
        })
    }
}

/// A page of the caller's vaults.
pub async fn vaults(
    ctx: &Context<'_>,
    filter: Option<VaultFilter>,
    sort: (VaultSort, Option<String>),
    first: i32,
    after: Option<&str>,
) -> Result<VaultConnection, Refusal> {
    let caller = caller(ctx)?;
    caller.require("vaults:read")?;
    let filter = filter.unwrap_or_default();
    let filter = read::VaultFilter {
        status: filter.status.map(Into::into),
        tier: filter.tier.map(Into::into),
        name_prefix: filter.name_prefix,
    };
    let sort = sorted(sort.0, sort.1.as_deref())?;
    let list = List::new(
        services(ctx),
        caller.organization,
        &format!("vaults?{filter:?}&{sort:?}"),
    );
    let request = list.page(first, after)?;
    let page = services(ctx)
        .reads
        .vaults(caller.organization, &filter, &sort, &request)
        .await?;
    let (entries, info) = list.seal(page, &request);
    let entries = entries
        .into_iter()
        .map(|(cursor, row)| (cursor, Vault(Arc::new(row), Moment::Now)))
        .collect();
    Ok(VaultConnection::new(entries, info))
}

fn sorted(sort: VaultSort, asset: Option<&str>) -> Result<read::VaultSort, Refusal> {
    Ok(match (sort, asset) {
        (VaultSort::Balance, Some(asset)) => {
            let asset = AssetId::try_new(asset).map_err(|e| Refusal::field("sortAsset", e.to_string()))?;
            read::VaultSort::Balance(asset)
        }
        (VaultSort::Balance, None) => {
            return Err(Refusal::field(
                "sortAsset",
                "the sort balance needs the asset to sort by",
            ));
        }
        (_, Some(_)) => {
            return Err(Refusal::field(
                "sortAsset",
                "only the sort balance takes an asset",
            ));
        }
        (VaultSort::Newest, None) => read::VaultSort::Newest,
        (VaultSort::Oldest, None) => read::VaultSort::Oldest,
        (VaultSort::Name, None) => read::VaultSort::Name,
        (VaultSort::NameDescending, None) => read::VaultSort::NameDescending,
        (VaultSort::Activity, None) => read::VaultSort::Activity,
    })
}
