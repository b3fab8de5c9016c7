//! Sums over a whole organization.

use async_graphql::{Context, SimpleObject};
use vaultstream_event_schemas::TransferStatus as Status;

use super::balance::AssetTotal;
use super::scalar::Long;
use super::transfer::TransferStatus;
use super::{caller, services};
use crate::refusal::Refusal;

/// Sums over a whole organization; what is zero is absent.
#[derive(SimpleObject, Debug, Clone)]
pub struct Totals {
    /// How many vaults, archived ones included.
    pub vaults: Long,
    /// How many accounts, closed ones included.
    pub accounts: Long,
    /// What all accounts hold, by asset.
    pub assets: Vec<AssetTotal>,
    /// Transfers by status.
    pub transfers: Vec<StatusCount>,
    /// Transfers that are not over yet.
    pub open_transfers: Long,
}

/// How many transfers are in a status.
#[derive(SimpleObject, Debug, Clone)]
pub struct StatusCount {
    /// The status.
    pub status: TransferStatus,
    /// How many.
    pub count: Long,
}

/// The sums of the caller's organization.
pub async fn totals(ctx: &Context<'_>) -> Result<Totals, Refusal> {
    let caller = caller(ctx)?;
    caller.require("vaults:read")?;
    caller.require("transfers:read")?;
    let services = services(ctx);
    let sums = services.reads.totals(caller.organization).await?;
    let count = |(status, count): (&Status, &u64)| StatusCount {
        status: (*status).into(),
        count: Long(*count),
    };
    Ok(Totals {
        vaults: Long(sums.vaults.values().sum()),
        accounts: Long(sums.accounts.values().sum()),
        assets: sums
            .assets
            .iter()
            .map(|(asset, minor)| AssetTotal::new(services, asset, *minor))
            .collect(),
        transfers: sums.transfers.iter().map(count).collect(),
        open_transfers: Long(sums.open_transfers()),
    })
}
