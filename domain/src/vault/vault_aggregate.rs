//! The Vault aggregate: active → archived. It lists its accounts, so a command resolves a vault without a view.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::vault::v1;
use vaultstream_event_schemas::{AccountId, ChainId, ErrorCode};

use crate::decider::Decider;
use crate::error::Coded;
use crate::name::{MAX_NAME, MAX_REASON, is_printable};

/// The most accounts a vault lists.
pub const MAX_ACCOUNTS: usize = 64;

/// The Vault aggregate.
pub struct Vault;

crate::wire_events! {
    /// What can happen to a vault.
    VaultEvent {
        /// It was created.
        Created(v1::VaultCreated),
        /// It took another name.
        Renamed(v1::VaultRenamed),
        /// It got an account.
        AccountAdded(v1::AccountAdded),
        /// It ended.
        Archived(v1::VaultArchived),
    }
}

/// What can be asked of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultCommand {
    /// Create it.
    Create(v1::VaultCreated),
    /// Give it another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Add an account.
    AddAccount(v1::AccountAdded),
    /// End it, once none of its accounts can send.
    Archive {
        /// Why.
        reason: String,
        /// Whether all its accounts are frozen or closed, read just before.
        accounts_at_rest: bool,
    },
}

/// A vault, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VaultState {
    /// Where it is in its life; `None` before it is created.
    pub status: Option<VaultStatus>,
    /// Its name.
    pub name: String,
    /// Its accounts with their chains, in the order they were added.
    pub accounts: Vec<(AccountId, ChainId)>,
}

/// Why a vault refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It exists already.
    #[error("the vault exists already")]
    AlreadyCreated,
    /// It does not exist.
    #[error("there is no such vault")]
    Unknown,
    /// It is archived.
    #[error("the vault is archived")]
    Archived,
    /// The name cannot be taken.
    #[error("a name has 1 to 80 printable characters and no space at its ends")]
    InvalidName,
    /// The reason cannot be taken.
    #[error("a reason has 1 to 500 printable characters and no space at its ends")]
    InvalidReason,
    /// It lists as many accounts as it can.
    #[error("a vault lists at most {MAX_ACCOUNTS} accounts")]
    TooManyAccounts,
    /// Some of its accounts can still send.
    #[error("freeze or close all accounts of the vault first")]
    AccountsOpen,
}

impl Coded for VaultError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyCreated => ErrorCode::AlreadyExists,
            Self::Unknown => ErrorCode::NotFound,
            Self::Archived => ErrorCode::VaultNotActive,
            Self::InvalidName | Self::InvalidReason => ErrorCode::InvalidField,
            Self::TooManyAccounts => ErrorCode::LimitReached,
            Self::AccountsOpen => ErrorCode::StateConflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidName => Some("name"),
            Self::InvalidReason => Some("reason"),
            Self::TooManyAccounts => Some("chains"),
            _ => None,
        }
    }
}

impl Decider for Vault {
    type State = VaultState;
    type Command = VaultCommand;
    type Event = VaultEvent;
    type Error = VaultError;

    fn decide(state: &VaultState, command: &VaultCommand) -> Result<Vec<VaultEvent>, VaultError> {
        match (command, state.status) {
            (VaultCommand::Create(c), None) if is_printable(&c.name, MAX_NAME) => Ok(vec![c.clone().into()]),
            (VaultCommand::Create(_), None) => Err(VaultError::InvalidName),
            (VaultCommand::Create(_), Some(_)) => Err(VaultError::AlreadyCreated),
            (_, None) => Err(VaultError::Unknown),
            (VaultCommand::Archive { .. }, Some(VaultStatus::Archived)) => Ok(vec![]),
            (_, Some(VaultStatus::Archived)) => Err(VaultError::Archived),
            (VaultCommand::Rename { name }, _) if *name == state.name => Ok(vec![]),
            (VaultCommand::Rename { name }, _) if is_printable(name, MAX_NAME) => {
                Ok(vec![v1::VaultRenamed { name: name.clone() }.into()])
            }
            (VaultCommand::Rename { .. }, _) => Err(VaultError::InvalidName),
            (VaultCommand::AddAccount(a), _) if state.accounts.iter().any(|(id, _)| *id == a.account) => {
                Ok(vec![])
            }
            (VaultCommand::AddAccount(_), _) if state.accounts.len() >= MAX_ACCOUNTS => {
                Err(VaultError::TooManyAccounts)
            }
            (VaultCommand::AddAccount(a), _) => Ok(vec![a.clone().into()]),
            (VaultCommand::Archive { reason, .. }, _) if !is_printable(reason, MAX_REASON) => {
                Err(VaultError::InvalidReason)
            }
            (
                VaultCommand::Archive {
                    accounts_at_rest: false,
                    ..
                },
                _,
            ) => Err(VaultError::AccountsOpen),
            (VaultCommand::Archive { reason, .. }, _) => Ok(vec![
                v1::VaultArchived {
                    reason: reason.clone(),
                }
                .into(),
            ]),
        }
    }

    fn evolve(state: &mut VaultState, event: &VaultEvent) {
        match event {
            VaultEvent::Created(e) => {
                state.status = Some(VaultStatus::Active);
                state.name.clone_from(&e.name);
            }
            VaultEvent::Renamed(e) => state.name.clone_from(&e.name),
            VaultEvent::AccountAdded(e) => state.accounts.push((e.account, e.chain.clone())),
            VaultEvent::Archived(_) => state.status = Some(VaultStatus::Archived),
        }
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::id;

    use super::*;
    use crate::given::given;

    fn created() -> VaultEvent {
        v1::VaultCreated {
            name: "Operations".into(),
            tier: v1::Tier::Hot,
        }
        .into()
    }

    fn account(n: u128) -> v1::AccountAdded {
        v1::AccountAdded {
            account: AccountId::from_uuid(id::random(1, n)),
            chain: ChainId::try_new("eip155:31337").expect("valid"),
        }
    }

    #[test]
    fn vault_should_list_each_account_once_up_to_its_limit() {
        given::<Vault>(&[created()])
            .when(&VaultCommand::AddAccount(account(1)))
            .then(&[account(1).into()]);
        given::<Vault>(&[created(), account(1).into()])
            .when(&VaultCommand::AddAccount(account(1)))
            .then(&[]);
        let full: Vec<_> = std::iter::once(created())
            .chain((0..64).map(|n| account(n).into()))
            .collect();
        given::<Vault>(&full)
            .when(&VaultCommand::AddAccount(account(99)))
            .refuses(&VaultError::TooManyAccounts);
    }

    #[test]
    fn vault_should_archive_only_at_rest() {
        let archive = |rest| VaultCommand::Archive {
            reason: "done".into(),
            accounts_at_rest: rest,
        };
        given::<Vault>(&[created()])
            .when(&archive(false))
            .refuses(&VaultError::AccountsOpen);
        let archived: VaultEvent = v1::VaultArchived {
            reason: "done".into(),
        }
        .into();
        given::<Vault>(&[created()])
            .when(&archive(true))
            .then(std::slice::from_ref(&archived));
        given::<Vault>(&[created(), archived])
            .when(&VaultCommand::Rename { name: "x".into() })
            .refuses(&VaultError::Archived);
    }
}
