//! The use cases of the vault context. A vault lives in `core`, its accounts in their chain's shards.

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::vault::v1;
use vaultstream_event_schemas::{AccountId, OrganizationId, ShardNumber, StreamId, Timestamp, VaultId};

use super::{Account, AccountCommand, Vault, VaultCommand, VaultError};
use crate::decider::Decider;
use crate::error::DomainError;
use crate::organization::active;
use crate::transact::{Change, States, Transact};

/// Creates a vault with its first accounts.
#[derive(Debug, Clone)]
pub struct CreateVault {
    /// Its id.
    pub vault: VaultId,
    /// The tenant, which must be active.
    pub organization: OrganizationId,
    /// How it is created.
    pub create: v1::VaultCreated,
    /// Its first accounts.
    pub accounts: Vec<v1::AccountAdded>,
}

impl Transact for CreateVault {
    fn name(&self) -> &'static str {
        "vault.create"
    }
    fn shard(&self) -> ShardNumber {
        self.vault.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.organization.into(), self.vault.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        active(states, self.organization)?;
        let mut state = states.get::<Vault>(self.vault).clone();
        let mut events = Vault::decide(&state, &VaultCommand::Create(self.create.clone()))?;
        events.iter().for_each(|e| Vault::evolve(&mut state, e));
        for account in &self.accounts {
            let added = Vault::decide(&state, &VaultCommand::AddAccount(account.clone()))?;
            added.iter().for_each(|e| Vault::evolve(&mut state, e));
            events.extend(added);
        }
        Ok(vec![Change::of(
            self.vault,
            self.organization,
            Owner::Vault(self.vault),
            events,
        )])
    }
}

/// Changes a vault.
#[derive(Debug, Clone)]
pub struct ChangeVault {
    /// Which.
    pub vault: VaultId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The version the caller decided on, when it named one.
    pub expected: Option<u64>,
    /// What to change.
    pub command: VaultCommand,
}

impl Transact for ChangeVault {
    fn name(&self) -> &'static str {
        "vault.change"
    }
    fn shard(&self) -> ShardNumber {
        self.vault.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.organization.into(), self.vault.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        active(states, self.organization)?;
        if states.version(self.vault) == 0 {
            return Err(VaultError::Unknown.into());
        }
        DomainError::check_version(self.expected, states.version(self.vault))?;
        let change = states.decide::<Vault>(
            self.vault,
            &self.command,
            self.organization,
            Owner::Vault(self.vault),
        )?;
        Ok(vec![change])
    }
}

/// Asks for an account that its vault lists; runs in the account's own shard.
#[derive(Debug, Clone)]
pub struct RequestAccount {
    /// The account's id.
    pub account: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// What is asked for.
    pub request: v1::AccountRequested,
}

impl Transact for RequestAccount {
    fn name(&self) -> &'static str {
        "vault.request_account"
    }
    fn shard(&self) -> ShardNumber {
        self.account.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.account.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let change = states.decide::<Account>(
            self.account,
            &AccountCommand::Request(self.request.clone()),
            self.organization,
            Owner::Vault(self.request.vault),
        )?;
        Ok(vec![change])
    }
}

/// Changes an account.
#[derive(Debug, Clone)]
pub struct ChangeAccount {
    /// Which.
    pub account: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns it.
    pub vault: VaultId,
    /// The version the caller decided on, when it named one.
    pub expected: Option<u64>,
    /// What to change.
    pub command: AccountCommand,
}

impl Transact for ChangeAccount {
    fn name(&self) -> &'static str {
        "vault.change_account"
    }
    fn shard(&self) -> ShardNumber {
        self.account.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.account.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        DomainError::check_version(self.expected, states.version(self.account))?;
        let change = states.decide::<Account>(
            self.account,
            &self.command,
            self.organization,
            Owner::Vault(self.vault),
        )?;
        Ok(vec![change])
    }
}
