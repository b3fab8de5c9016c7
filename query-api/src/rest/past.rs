//! `asOf`: single resources as they were, folded from the log. An answer about the past has no `ETag`: nothing can be
//! decided on it.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use vaultstream_client::{Account, Balance};
use vaultstream_event_schemas::{AccountId, OrganizationId, TransferId, VaultId};
use vaultstream_gateway::ApiError;
use vaultstream_gateway::resource::{not_found, note, path_id};
use vaultstream_projectors::rows::{AccountRow, BalanceRow};

use super::{Site, rows};
use crate::events::as_api_error;
use crate::past::{Past, Pasts};

/// A question about the past of one resource.
pub(super) struct Question<'a> {
    pub site: &'a Site,
    pub organization: OrganizationId,
    pub id: &'a str,
    pub as_of: &'a str,
}

impl Question<'_> {
    /// The id of the path, and the past.
    async fn open<I: FromStr>(&self) -> Result<(I, Arc<Past>), ApiError> {
        let id = path_id(self.id)?;
        let pasts = Pasts::default();
        let past = pasts.at(&self.site.services, self.organization, self.as_of).await;
        Ok((id, past.map_err(as_api_error)?))
    }

    pub async fn vault(&self) -> Result<Response, ApiError> {
        let (id, past) = self.open::<VaultId>().await?;
        let row = past
            .vault(id)
            .await
            .map_err(as_api_error)?
            .ok_or_else(not_found)?;
        let held = past.accounts_of(&row).await.map_err(as_api_error)?;
        let accounts: Vec<AccountRow> = held.iter().map(|held| held.0.clone()).collect();
        Ok(Json(rows::vault(&row, &accounts)).into_response())
    }

    pub async fn account(&self) -> Result<Response, ApiError> {
        let (id, past) = self.open::<AccountId>().await?;
        let held = past
            .account(id)
            .await
            .map_err(as_api_error)?
            .ok_or_else(not_found)?;
        Ok(Json(account(self.site, &held.0, &held.1)).into_response())
    }

    pub async fn transfer(&self) -> Result<Response, ApiError> {
        let (id, past) = self.open::<TransferId>().await?;
        let found = past
            .transfer(id)
            .await
            .map_err(as_api_error)?
            .ok_or_else(not_found)?;
        let keyring = self.site.services.keyring.as_ref();
        let note = note(keyring, found.row.memo.as_ref(), found.row.memo_erased).await?;
        let mut body = self.site.transfer_row(&found);
        body.memo = note.text();
        // no event says where the chain stood
        for execution in &mut body.executions {
            execution.confirmations = None;
        }
        Ok(Json(body).into_response())
    }
}

fn account(site: &Site, row: &AccountRow, held: &[BalanceRow]) -> Account {
    let balance = |row: &BalanceRow| Balance {
        amount: site.catalogue.amount(&row.asset, row.minor),
        block: row.block.clone(),
    };
    Account {
        id: row.id,
        vault_id: row.vault_id,
        chain: row.chain.clone(),
        custody: row.custody,
        status: row.status,
        address: row.address.clone(),
        label: row.label.clone(),
        balances: held.iter().map(balance).collect(),
        created_at: row.created_at,
        version: row.version,
        token: None,
    }
}
