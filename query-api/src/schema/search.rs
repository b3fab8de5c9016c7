//! Search: an id, a hash, an address, an external id, or the beginning of a name.

use async_graphql::{Context, Enum, ID, SimpleObject};
use vaultstream_projectors::rows::{LookupKind, LookupRow};

use super::{caller, services};
use crate::limits::page_size;
use crate::refusal::Refusal;

/// What a hit leads to.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_projectors::rows::LookupKind",
    rename_items = "snake_case"
)]
pub enum SearchKind {
    /// A vault.
    Vault,
    /// An account.
    Account,
    /// A transfer.
    Transfer,
    /// An execution.
    Execution,
}

/// Where a text leads.
#[derive(SimpleObject, Debug, Clone)]
pub struct SearchHit {
    /// What it leads to.
    pub kind: SearchKind,
    /// The id of it.
    pub id: ID,
    /// The vault it belongs to.
    pub vault_id: Option<ID>,
    /// What matched: a name, an address, a hash, an id.
    pub label: String,
}

impl From<LookupRow> for SearchHit {
    fn from(row: LookupRow) -> Self {
        Self {
            kind: row.kind.into(),
            id: ID(row.id),
            vault_id: row.vault_id.map(ID::from),
            label: row.label,
        }
    }
}

/// What a text leads to among the caller's own; kinds the caller has no scope for are left out.
pub async fn search(ctx: &Context<'_>, text: &str, first: i32) -> Result<Vec<SearchHit>, Refusal> {
    let caller = caller(ctx)?;
    let vaults = caller.require("vaults:read");
    let transfers = caller.require("transfers:read");
    if vaults.is_err() && transfers.is_err() {
        vaults.clone()?;
    }
    let rows = services(ctx)
        .reads
        .lookup(caller.organization, text, page_size(first)?)
        .await?;
    let seen = |row: &LookupRow| match row.kind {
        LookupKind::Vault | LookupKind::Account => vaults.is_ok(),
        LookupKind::Transfer | LookupKind::Execution => transfers.is_ok(),
    };
    Ok(rows.into_iter().filter(seen).map(Into::into).collect())
}
