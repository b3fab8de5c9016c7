//! Vaults and accounts as they are answered.

use vaultstream_client::{Account, Balance, Vault, VaultAccount};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::vault::{AccountState, VaultEvent};
use vaultstream_domain::{Event, State};
use vaultstream_event_schemas::vault::v1::Custody;
use vaultstream_event_schemas::{AccountId, AccountStatus, ChainId, VaultId};
use vaultstream_kernel::load_state;

use super::not_found;
use crate::catalogue::Catalogue;
use crate::directory::Known;
use crate::error::ApiError;

/// A vault with its accounts as they stand.
pub async fn vault(log: &dyn EventLog, known: &Known) -> Result<Vault, ApiError> {
    let State::Vault(state) = &known.state else {
        return Err(not_found());
    };
    let tier = Event::read(&known.first)?
        .into_iter()
        .find_map(|event| match event {
            Event::Vault(VaultEvent::Created(created)) => Some(created.tier),
            _ => None,
        });
    let mut accounts = Vec::with_capacity(state.accounts.len());
    for (id, chain) in &state.accounts {
        let loaded = load_state(log, (*id).into()).await?;
        accounts.push(match &loaded.state {
            State::Account(account) => vault_account(*id, chain, account),
            _ => return Err(not_found()),
        });
    }
    Ok(Vault {
        id: VaultId::from_uuid(known.stream.id),
        organization_id: known.organization,
        name: state.name.clone(),
        tier: tier.ok_or_else(not_found)?,
        status: state.status.ok_or_else(not_found)?,
        accounts,
        created_at: known.created_at,
        version: known.version,
        token: None,
    })
}

/// An account as its vault lists it. One that the vault lists and whose own first event is still to come is opening.
pub fn vault_account(id: AccountId, chain: &ChainId, state: &AccountState) -> VaultAccount {
    VaultAccount {
        id,
        chain: chain.clone(),
        status: state.status.unwrap_or(AccountStatus::Opening),
        address: state.address.clone(),
    }
}

/// An account with its balances.
pub fn account(known: &Known, catalogue: &Catalogue) -> Result<Account, ApiError> {
    let State::Account(state) = &known.state else {
        return Err(not_found());
    };
    let balances = state.balances.iter().map(|(asset, balance)| Balance {
        amount: catalogue.amount(asset, balance.minor),
        block: balance.block.clone(),
    });
    Ok(Account {
        id: AccountId::from_uuid(known.stream.id),
        vault_id: state.vault.ok_or_else(not_found)?,
        chain: state.chain.clone().ok_or_else(not_found)?,
        custody: Custody::Software,
        status: state.status.ok_or_else(not_found)?,
        address: state.address.clone(),
        label: state.label.clone(),
        balances: balances.collect(),
        created_at: known.created_at,
        version: known.version,
        token: None,
    })
}
