//! Accounts.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use vaultstream_projectors::rows::AccountRow;

use super::balance::Balance;
use super::chain::Chain;
use super::loader::Loaders;
use super::moment::Moment;
use super::scalar::{Timestamp, int};
use super::vault::Vault;
use super::{caller, services};
use crate::refusal::Refusal;

/// The life of an account.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::status::AccountStatus",
    rename_items = "snake_case"
)]
pub enum AccountStatus {
    /// Its key is being made; it has no address yet.
    Opening,
    /// Receives and sends.
    Open,
    /// Receives; sends nothing.
    Frozen,
    /// Ended.
    Closed,
}

/// Who holds an account's key.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::vault::v1::Custody",
    rename_items = "snake_case"
)]
pub enum Custody {
    /// A software key in the platform's keystore.
    Software,
}

/// An account: one key on one chain.
#[derive(Debug, Clone)]
pub struct Account(pub Arc<AccountRow>, pub Moment);

#[Object]
impl Account {
    /// The account.
    pub async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// The vault that owns it.
    async fn vault_id(&self) -> ID {
        ID::from(self.0.vault_id)
    }

    /// The vault that owns it.
    async fn vault(&self, ctx: &Context<'_>) -> Result<Vault> {
        Vault::load(ctx, self.0.vault_id, &self.1).await
    }

    /// Its chain.
    async fn chain(&self, ctx: &Context<'_>) -> Result<Chain> {
        let services = services(ctx);
        let settings = services
            .chain(&self.0.chain)
            .ok_or_else(|| Refusal::not_found("chain"))?;
        Ok(Chain::new(services, settings))
    }

    /// Its state.
    async fn status(&self) -> AccountStatus {
        self.0.status.into()
    }

    /// Who holds its key.
    async fn custody(&self) -> Custody {
        self.0.custody.into()
    }

    /// Its address in the chain's own text form; null until it is open.
    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// Its label.
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Why it is frozen or closed.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What it holds, by asset.
    #[graphql(complexity = "2 + child_complexity")]
    async fn balances(&self, ctx: &Context<'_>) -> Result<Vec<Balance>> {
        if let Moment::Then(past) = &self.1 {
            let held = past.account(self.0.id).await?;
            let rows = held.iter().flat_map(|held| &held.1);
            return Ok(rows.map(|row| Balance::new(services(ctx), row)).collect());
        }
        let rows = ctx.data::<Loaders>()?.balances(self.0.vault_id).await?;
        let own = rows.iter().filter(|row| row.account_id == self.0.id);
        Ok(own.map(|row| Balance::new(services(ctx), row)).collect())
    }

    /// When it was asked for.
    async fn created_at(&self) -> Timestamp {
        Timestamp(self.0.created_at)
    }

    /// Counts its own events; the number in its ETag.
    async fn version(&self) -> i32 {
        int(self.0.version)
    }
}

impl Account {
    /// An account of the caller.
    pub async fn load(
        ctx: &Context<'_>,
        id: vaultstream_event_schemas::AccountId,
        moment: &Moment,
    ) -> Result<Self> {
        caller(ctx)?.require("vaults:read")?;
        let row = match moment {
            Moment::Now => ctx.data::<Loaders>()?.account(id).await?,
            Moment::Then(past) => past.account(id).await?.map(|held| Arc::new(held.0.clone())),
        };
        Ok(Self(
            row.ok_or_else(|| Refusal::not_found("accountId"))?,
            moment.clone(),
        ))
    }
}
