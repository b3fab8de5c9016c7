//! The Account aggregate: one key on one chain; opening → open → frozen → closed.
//!
//! The gate of every request on it. Its address is null until it is open, its custody never changes silently, and its
//! balances are absolute readings, each true at a block.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::vault::v1;
use vaultstream_event_schemas::{AccountStatus, Amount, AssetId, ChainId, ErrorCode, VaultId};

use crate::decider::Decider;
use crate::error::Coded;
use crate::name::{MAX_NAME, MAX_REASON, is_printable};

/// The most assets an account keeps readings of.
const MAX_ASSETS: usize = 256;

/// The Account aggregate.
pub struct Account;

crate::wire_events! {
    /// What can happen to an account.
    AccountEvent {
        /// It was asked for.
        Requested(v1::AccountRequested),
        /// It has an address.
        Opened(v1::AccountOpened),
        /// It was given a label.
        Labelled(v1::AccountLabelled),
        /// Its balance was read.
        BalanceObserved(v1::BalanceObserved),
        /// It sends nothing any more.
        Frozen(v1::AccountFrozen),
        /// It may send again.
        Unfrozen(v1::AccountUnfrozen),
        /// It ended.
        Closed(v1::AccountClosed),
    }
}

/// What can be asked of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountCommand {
    /// Ask for it.
    Request(v1::AccountRequested),
    /// Give it its key's address.
    Open(v1::AccountOpened),
    /// Give it a label.
    Label {
        /// The label.
        label: String,
    },
    /// Take a reading of a balance, when its amount is news.
    ObserveBalance(v1::BalanceObserved),
    /// Take a reading of a balance, when its amount or its block is news: something waits for a newer one.
    ConfirmBalance(v1::BalanceObserved),
    /// Let it send nothing.
    Freeze {
        /// Why.
        reason: String,
    },
    /// Let it send again.
    Unfreeze {
        /// Why.
        reason: String,
    },
    /// End it.
    Close {
        /// Why.
        reason: String,
    },
}

/// A reading of a balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Minor units held.
    pub minor: Amount,
    /// The block the reading is true at.
    pub block: BlockRef,
}

/// An account, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccountState {
    /// Where it is in its life; `None` before it is asked for.
    pub status: Option<AccountStatus>,
    /// The vault that owns it.
    pub vault: Option<VaultId>,
    /// Its chain.
    pub chain: Option<ChainId>,
    /// Its address, once it is open.
    pub address: Option<String>,
    /// Its public key, once it is open, lower-case hex.
    pub public_key: Option<String>,
    /// Its label.
    pub label: Option<String>,
    /// The newest reading of each asset.
    pub balances: BTreeMap<AssetId, Balance>,
}

impl AccountState {
    /// The address, when the account may send.
    pub fn sending_address(&self) -> Result<&str, AccountError> {
        match (self.status, &self.address) {
            (Some(AccountStatus::Open), Some(address)) => Ok(address),
            (None, _) => Err(AccountError::Unknown),
            (Some(status), _) => Err(AccountError::NotOpen(status)),
        }
    }
}

/// Why an account refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// It exists already.
    #[error("the account exists already")]
    AlreadyRequested,
    /// It does not exist.
    #[error("there is no such account")]
    Unknown,
    /// It is in a state that does not allow this.
    #[error("the account is {0}")]
    NotOpen(AccountStatus),
    /// It was opened with another key.
    #[error("the account has another address already")]
    AddressFixed,
    /// The label cannot be taken.
    #[error("a label has 1 to 80 printable characters and no space at its ends")]
    InvalidLabel,
    /// The reason cannot be taken.
    #[error("a reason has 1 to 500 printable characters and no space at its ends")]
    InvalidReason,
    /// The reading is of another chain, or of too many assets.
    #[error("the reading is not of an asset this account keeps")]
    ForeignAsset,
}

impl Coded for AccountError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyRequested => ErrorCode::AlreadyExists,
            Self::Unknown => ErrorCode::NotFound,
            Self::NotOpen(_) => ErrorCode::AccountNotOpen,
            Self::AddressFixed => ErrorCode::StateConflict,
            Self::InvalidLabel | Self::InvalidReason => ErrorCode::InvalidField,
            Self::ForeignAsset => ErrorCode::UnknownAsset,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidLabel => Some("label"),
            Self::InvalidReason => Some("reason"),
            Self::Unknown | Self::NotOpen(_) => Some("accountId"),
            _ => None,
        }
    }
}

impl Decider for Account {
    type State = AccountState;
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountError;

    fn decide(state: &AccountState, command: &AccountCommand) -> Result<Vec<AccountEvent>, AccountError> {
        use AccountCommand as C;
        use AccountStatus::{Closed, Frozen, Open, Opening};
        let Some(status) = state.status else {
            return match command {
                C::Request(request) => Ok(vec![request.clone().into()]),
                _ => Err(AccountError::Unknown),
            };
        };
        match (command, status) {
            (C::Request(r), _) if state.vault == Some(r.vault) && state.chain.as_ref() == Some(&r.chain) => {
                Ok(vec![])
            }
            (C::Request(_), _) => Err(AccountError::AlreadyRequested),
            (C::Open(open), Opening) => Ok(vec![open.clone().into()]),
            (C::Open(open), _) if state.address.as_ref() == Some(&open.address) => Ok(vec![]),
            (C::Open(_), _) => Err(AccountError::AddressFixed),
            (C::ObserveBalance(reading), _) => observe(state, reading, |known| known.minor != reading.minor),
            (C::ConfirmBalance(reading), _) => observe(state, reading, |_| true),
            (_, Closed) if !matches!(command, C::Close { .. }) => Err(AccountError::NotOpen(Closed)),
            (C::Label { label }, _) if state.label.as_ref() == Some(label) => Ok(vec![]),
            (C::Label { label }, _) if is_printable(label, MAX_NAME) => {
                Ok(vec![v1::AccountLabelled { label: label.clone() }.into()])
            }
            (C::Label { .. }, _) => Err(AccountError::InvalidLabel),
            (C::Freeze { .. }, Frozen) | (C::Unfreeze { .. }, Open) | (C::Close { .. }, Closed) => Ok(vec![]),
            (C::Freeze { reason } | C::Unfreeze { reason } | C::Close { reason }, _)
                if !is_printable(reason, MAX_REASON) =>
            {
                Err(AccountError::InvalidReason)
            }
            (C::Freeze { reason }, Open) => Ok(vec![
                v1::AccountFrozen {
                    reason: reason.clone(),
                }
                .into(),
            ]),
            (C::Unfreeze { reason }, Frozen) => Ok(vec![
                v1::AccountUnfrozen {
                    reason: reason.clone(),
                }
                .into(),
            ]),
            (C::Close { reason }, Frozen | Opening) => Ok(vec![
                v1::AccountClosed {
                    reason: reason.clone(),
                }
                .into(),
            ]),
            (_, status) => Err(AccountError::NotOpen(status)),
        }
    }

    fn evolve(state: &mut AccountState, event: &AccountEvent) {
        match event {
            AccountEvent::Requested(e) => {
                state.status = Some(AccountStatus::Opening);
                state.vault = Some(e.vault);
                state.chain = Some(e.chain.clone());
            }
            AccountEvent::Opened(e) => {
                state.status = Some(AccountStatus::Open);
                state.address = Some(e.address.clone());
                state.public_key = Some(e.public_key.clone());
            }
            AccountEvent::Labelled(e) => state.label = Some(e.label.clone()),
            AccountEvent::BalanceObserved(e) => {
                state.balances.insert(
                    e.asset.clone(),
                    Balance {
                        minor: e.minor,
                        block: e.block.clone(),
                    },
                );
            }
            AccountEvent::Frozen(_) => state.status = Some(AccountStatus::Frozen),
            AccountEvent::Unfrozen(_) => state.status = Some(AccountStatus::Open),
            AccountEvent::Closed(_) => state.status = Some(AccountStatus::Closed),
        }
    }
}

/// A reading is news when the amount differs. An equal amount at another block spares the log, unless `is_news` says that
/// the block matters.
fn observe(
    state: &AccountState,
    reading: &v1::BalanceObserved,
    is_news: impl Fn(&Balance) -> bool,
) -> Result<Vec<AccountEvent>, AccountError> {
    let known = state.balances.get(&reading.asset);
    if state.chain.as_ref() != Some(&reading.asset.chain())
        || (known.is_none() && state.balances.len() >= MAX_ASSETS)
    {
        return Err(AccountError::ForeignAsset);
    }
    let news = match known {
        None => !reading.minor.is_zero(),
        Some(known) => known.block != reading.block && is_news(known),
    };
    Ok(if news {
        vec![reading.clone().into()]
    } else {
        vec![]
    })
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::id;

    use super::*;
    use crate::given::given;

    fn requested() -> AccountEvent {
        v1::AccountRequested {
            chain: ChainId::try_new("eip155:31337").expect("valid"),
            custody: v1::Custody::Software,
            vault: VaultId::from_uuid(id::random(1, 1)),
        }
        .into()
    }

    fn opened() -> AccountEvent {
        v1::AccountOpened {
            address: "0xA".into(),
            public_key: "02".into(),
        }
        .into()
    }

    fn reading(minor: u128, height: u64) -> v1::BalanceObserved {
        v1::BalanceObserved {
            asset: AssetId::try_new("eip155:31337/slip44:60").expect("valid"),
            block: BlockRef {
                hash: format!("0x{height}"),
                height,
            },
            minor: Amount::from_u128(minor),
        }
    }

    #[test]
    fn account_should_send_only_while_open() {
        assert_eq!(
            given::<Account>(&[]).state().sending_address(),
            Err(AccountError::Unknown)
        );
        let opening = given::<Account>(&[requested()]);
        assert_eq!(
            opening.state().sending_address(),
            Err(AccountError::NotOpen(AccountStatus::Opening))
        );
        assert_eq!(
            given::<Account>(&[requested(), opened()])
                .state()
                .sending_address(),
            Ok("0xA")
        );
        let frozen = [
            requested(),
            opened(),
            v1::AccountFrozen { reason: "x".into() }.into(),
        ];
        assert_eq!(
            given::<Account>(&frozen).state().sending_address(),
            Err(AccountError::NotOpen(AccountStatus::Frozen))
        );
    }

    #[test]
    fn address_should_be_given_once() {
        let other = v1::AccountOpened {
            address: "0xB".into(),
            public_key: "03".into(),
        };
        let history = [requested(), opened()];
        given::<Account>(&history)
            .when(&AccountCommand::Open(other))
            .refuses(&AccountError::AddressFixed);
        let same = v1::AccountOpened {
            address: "0xA".into(),
            public_key: "02".into(),
        };
        given::<Account>(&history)
            .when(&AccountCommand::Open(same))
            .then(&[]);
    }

    #[test]
    fn reading_should_be_recorded_only_when_it_differs() {
        let observe = |minor, height| AccountCommand::ObserveBalance(reading(minor, height));
        let history = [requested(), opened(), reading(5, 1).into()];
        given::<Account>(&history[..2]).when(&observe(0, 1)).then(&[]);
        given::<Account>(&history).when(&observe(5, 2)).then(&[]);
        given::<Account>(&history)
            .when(&observe(6, 2))
            .then(&[reading(6, 2).into()]);
        let confirm = |minor, height| AccountCommand::ConfirmBalance(reading(minor, height));
        given::<Account>(&history).when(&confirm(5, 1)).then(&[]);
        given::<Account>(&history)
            .when(&confirm(5, 2))
            .then(&[reading(5, 2).into()]);
        let foreign = v1::BalanceObserved {
            asset: AssetId::try_new("eip155:1/slip44:60").expect("valid"),
            ..reading(1, 1)
        };
        given::<Account>(&history)
            .when(&AccountCommand::ObserveBalance(foreign))
            .refuses(&AccountError::ForeignAsset);
    }
}
