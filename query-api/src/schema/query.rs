//! The root of queries. Each field checks its scope, waits for `atLeast`, and asks one noun's file.

use async_graphql::{Context, ID, Object, Result};
use vaultstream_event_schemas::VaultId;
use vaultstream_projectors::read::FeedQuery;
use vaultstream_projectors::view_name::ViewName;

use super::at_least::at_least;
use super::balance::Balance;
use super::chain::Chain;
use super::event::{FeedConnection, checked_types, feed};
use super::freshness::Freshness;
use super::moment::Moment;
use super::node::{Node, no_id, node};
use super::search::{SearchHit, search};
use super::totals::{Totals, totals};
use super::transfer::{Transfer, TransferConnection, TransferFilter, TransferSort, transfers};
use super::vault::{Vault, VaultConnection, VaultFilter, VaultSort, vaults};
use super::viewer::Viewer;
use super::{caller, services};
use crate::freshness;
use crate::limits::page_cost;
use crate::refusal::Refusal;

/// The root of queries.
pub struct Query;

const VAULT_VIEWS: [ViewName; 2] = [ViewName::Vaults, ViewName::Balances];

fn vault_id(field: &str, id: &str) -> Result<VaultId, Refusal> {
    id.parse().map_err(|e| no_id(field, &e))
}

#[Object]
impl Query {
    /// Who asks.
    async fn viewer(&self) -> Viewer {
        Viewer
    }

    /// A vault, account, transfer, execution or the caller's organization by its id; null with the error `not-found` when
    /// there is none of yours. With `asOf`, a moment in RFC 3339 or a consistency token, all but an organization is shown as
    /// it was then, and so is what it leads to.
    async fn node(
        &self,
        ctx: &Context<'_>,
        id: ID,
        at_least: Option<String>,
        as_of: Option<String>,
    ) -> Result<Option<Node>> {
        let moment = Moment::asked(ctx, at_least.as_deref(), as_of.as_deref(), &ViewName::ALL).await?;
        node(ctx, &id, &moment).await.map(Some)
    }

    /// A vault by its id; null with the error `not-found` when there is none of yours. With `asOf`, a moment in RFC 3339 or a
    /// consistency token, it is shown as it was then, and so is what it leads to.
    async fn vault(
        &self,
        ctx: &Context<'_>,
        id: ID,
        at_least: Option<String>,
        as_of: Option<String>,
    ) -> Result<Option<Vault>> {
        let id = vault_id("id", &id)?;
        let moment = Moment::asked(ctx, at_least.as_deref(), as_of.as_deref(), &VAULT_VIEWS).await?;
        Vault::load(ctx, id, &moment).await.map(Some)
    }

    /// Vaults; `first` is 1 to 200, `sortAsset` is the CAIP-19 name of the asset that the sort `balance` goes by.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments are the published ones")]
    async fn vaults(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
        filter: Option<VaultFilter>,
        #[graphql(default)] sort: VaultSort,
        sort_asset: Option<String>,
        at_least: Option<String>,
    ) -> Result<VaultConnection> {
        self::at_least(ctx, at_least.as_deref(), &VAULT_VIEWS).await?;
        Ok(vaults(ctx, filter, (sort, sort_asset), first, after.as_deref()).await?)
    }

    /// A transfer by its id; null with the error `not-found` when there is none of yours. With `asOf`, a moment in RFC 3339
    /// or a consistency token, it is shown as it was then, and so is what it leads to.
    async fn transfer(
        &self,
        ctx: &Context<'_>,
        id: ID,
        at_least: Option<String>,
        as_of: Option<String>,
    ) -> Result<Option<Transfer>> {
        let id = id.parse().map_err(|e| no_id("id", &e))?;
        let views = [ViewName::Transfers];
        let moment = Moment::asked(ctx, at_least.as_deref(), as_of.as_deref(), &views).await?;
        Ok(Some(Transfer::load(ctx, id, &moment).await?))
    }

    /// Transfers; `first` is 1 to 200.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments are the published ones")]
    async fn transfers(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
        filter: Option<TransferFilter>,
        #[graphql(default)] sort: TransferSort,
        at_least: Option<String>,
    ) -> Result<TransferConnection> {
        let filter = filter.unwrap_or_default().parsed()?;
        self::at_least(ctx, at_least.as_deref(), &[ViewName::Transfers]).await?;
        Ok(transfers(ctx, &filter, sort, first, after.as_deref()).await?)
    }

    /// What the accounts of a vault hold, one entry an account and asset; with `asOf`, a moment in RFC 3339 or a consistency
    /// token, what they held then.
    #[graphql(complexity = "2 + 8 * child_complexity")]
    async fn balances(
        &self,
        ctx: &Context<'_>,
        vault_id: ID,
        at_least: Option<String>,
        as_of: Option<String>,
    ) -> Result<Vec<Balance>> {
        let id = self::vault_id("vaultId", &vault_id)?;
        let moment = Moment::asked(ctx, at_least.as_deref(), as_of.as_deref(), &VAULT_VIEWS).await?;
        let rows = Vault::load(ctx, id, &moment).await?.held(ctx).await?;
        Ok(rows.iter().map(|row| Balance::new(services(ctx), row)).collect())
    }

    /// Sums over the whole organization.
    #[graphql(complexity = "5 + 4 * child_complexity")]
    async fn totals(&self, ctx: &Context<'_>, at_least: Option<String>) -> Result<Totals> {
        let views = [ViewName::Vaults, ViewName::Balances, ViewName::Transfers];
        self::at_least(ctx, at_least.as_deref(), &views).await?;
        Ok(totals(ctx).await?)
    }

    /// Public events of the organization, newest first; `first` is 1 to 200.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments are the published ones")]
    async fn feed(
        &self,
        ctx: &Context<'_>,
        first: i32,
        after: Option<String>,
        types: Option<Vec<String>>,
        vault_id: Option<ID>,
        at_least: Option<String>,
    ) -> Result<FeedConnection> {
        let vault = vault_id.map(|id| self::vault_id("vaultId", &id)).transpose()?;
        let query = FeedQuery {
            vault,
            types: checked_types(types)?,
        };
        self::at_least(ctx, at_least.as_deref(), &[ViewName::Feed]).await?;
        Ok(feed(ctx, &query, first, after.as_deref()).await?)
    }

    /// Finds by id, transaction hash, address, external id, or the beginning of a name; at most 50 hits.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn search(&self, ctx: &Context<'_>, text: String, first: i32) -> Result<Vec<SearchHit>> {
        Ok(search(ctx, &text, first).await?)
    }

    /// The chains this installation serves.
    #[graphql(complexity = "2 + 4 * child_complexity")]
    async fn chains(&self, ctx: &Context<'_>) -> Result<Vec<Chain>> {
        caller(ctx)?;
        let services = services(ctx);
        Ok(services
            .chains
            .iter()
            .map(|settings| Chain::new(services, settings))
            .collect())
    }

    /// How far the views are behind the log.
    #[graphql(complexity = "5 + 4 * child_complexity")]
    async fn freshness(&self, ctx: &Context<'_>) -> Result<Freshness> {
        caller(ctx)?;
        let services = services(ctx);
        let lag = freshness::measure(services.log.as_ref(), &services.reads, services.clock.now()).await?;
        Ok(Freshness::new(services, &lag))
    }
}
