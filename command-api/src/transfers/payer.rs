//! Who pays: the account a request names, by itself or by its vault and the asset's chain.
//!
//! An account or a vault of another organization does not exist for the caller.

use vaultstream_client::RequestTransfer;
use vaultstream_domain::State;
use vaultstream_domain::vault::VaultState;
use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::{AccountId, ChainId, ErrorCode, OrganizationId, VaultId};
use vaultstream_gateway::ApiError;
use vaultstream_gateway::error::In;

use crate::services::Services;

/// The paying account and the vault that owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payer {
    pub account: AccountId,
    pub vault: VaultId,
}

pub(super) async fn payer(
    services: &Services,
    organization: OrganizationId,
    body: &RequestTransfer,
    chain: &ChainId,
) -> Result<Payer, ApiError> {
    let payer = match (&body.account_id, &body.vault_id) {
        (Some(account), _) => by_account(services, organization, account).await?,
        (None, Some(vault)) => by_vault(services, organization, vault, chain).await?,
        (None, None) => {
            let detail = "name the paying account in accountId, or its vault in vaultId";
            return Err(ApiError::field(
                ErrorCode::MissingField,
                In::Body,
                "vaultId",
                detail,
            ));
        }
    };
    match &body.vault_id {
        Some(vault) if *vault != payer.vault.to_string() => {
            let detail = "the account is not one of this vault; name one of the two";
            Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Body,
                "vaultId",
                detail,
            ))
        }
        _ => Ok(payer),
    }
}

async fn by_account(
    services: &Services,
    organization: OrganizationId,
    text: &str,
) -> Result<Payer, ApiError> {
    let unknown = || {
        ApiError::field(
            ErrorCode::NotFound,
            In::Body,
            "accountId",
            "there is no such account",
        )
    };
    let account: AccountId = text.parse().map_err(|_| unknown())?;
    match services.owner_of(account).await? {
        Some((owner, vault)) if owner == organization => {
            active_vault(services, organization, vault, "accountId").await?;
            Ok(Payer { account, vault })
        }
        _ => Err(unknown()),
    }
}

async fn by_vault(
    services: &Services,
    organization: OrganizationId,
    text: &str,
    chain: &ChainId,
) -> Result<Payer, ApiError> {
    let unknown = || ApiError::field(ErrorCode::NotFound, In::Body, "vaultId", "there is no such vault");
    let vault: VaultId = text.parse().map_err(|_| unknown())?;
    let state = active_vault(services, organization, vault, "vaultId").await?;
    match only_account(&state, chain) {
        Ok(account) => Ok(Payer { account, vault }),
        // What is kept may be a moment old: a refusal rests on the log.
        Err(_) => {
            let fresh = services
                .parts
                .directory
                .fresh(vault.into())
                .await?
                .ok_or_else(unknown)?;
            let State::Vault(state) = &fresh.state else {
                return Err(unknown());
            };
            Ok(Payer {
                account: only_account(state, chain)?,
                vault,
            })
        }
    }
}

async fn active_vault(
    services: &Services,
    organization: OrganizationId,
    vault: VaultId,
    field: &str,
) -> Result<VaultState, ApiError> {
    let unknown = || ApiError::field(ErrorCode::NotFound, In::Body, field, "there is no such vault");
    let known = services.parts.directory.get(vault.into()).await?;
    let known = known
        .filter(|k| k.organization == organization)
        .ok_or_else(unknown)?;
    let State::Vault(state) = &known.state else {
        return Err(unknown());
    };
    match state.status {
        Some(VaultStatus::Active) => Ok(state.clone()),
        _ => Err(ApiError::field(
            ErrorCode::VaultNotActive,
            In::Body,
            field,
            "the vault is archived",
        )),
    }
}

fn only_account(state: &VaultState, chain: &ChainId) -> Result<AccountId, ApiError> {
    let mut accounts = state
        .accounts
        .iter()
        .filter(|(_, c)| c == chain)
        .map(|(id, _)| *id);
    match (accounts.next(), accounts.next()) {
        (Some(account), None) => Ok(account),
        (None, _) => {
            let detail = format!("the vault has no account on {chain}");
            Err(ApiError::field(
                ErrorCode::NoAccountOnChain,
                In::Body,
                "vaultId",
                detail,
            ))
        }
        (Some(_), Some(_)) => {
            let detail = format!("the vault has several accounts on {chain}; name one in accountId");
            Err(ApiError::field(
                ErrorCode::AccountAmbiguous,
                In::Body,
                "accountId",
                detail,
            ))
        }
    }
}
