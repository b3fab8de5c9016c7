//! Transfers in view of a history that is lost: what was signed there is found again, and does not end otherwise.

use std::sync::Arc;

use vaultstream_event_schemas::chain::{EvmPlan, Plan};
use vaultstream_event_schemas::execution::v1::SlotLost;
use vaultstream_event_schemas::{AccountStatus, Amount, AssetId, ChainId};

use super::*;
use crate::State;
use crate::decider::Decider;
use crate::execution::{SlotsEvent, SlotsState};
use crate::transfer::{TransferEvent, TransferState};
use crate::vault::AccountState;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn account() -> AccountId {
    AccountId::from_uuid(id::random(1, 1))
}

fn vault() -> VaultId {
    VaultId::from_uuid(id::random(1, 2))
}

fn transfer() -> TransferId {
    TransferId::from_uuid(id::random(1, 3))
}

fn organization() -> OrganizationId {
    OrganizationId::from_uuid(id::random(1, 4))
}

fn requested() -> v1::Requested {
    v1::Requested {
        account: account(),
        amount: Amount::from_u128(5),
        asset: AssetId::try_new("eip155:31337/slip44:60").expect("valid"),
        destination: "0xB".into(),
        expires_at: NOW.plus_seconds(3_600),
        external_id: None,
        fee_max: None,
        memo: None,
        vault: vault(),
    }
}

fn signed_before() -> SlotLost {
    let plan = EvmPlan {
        chain_id: 31337,
        data: "0x".into(),
        from: "0xA".into(),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::from_u128(2),
        max_priority_fee_per_gas: Amount::from_u128(1),
        nonce: 0,
        to: "0xB".into(),
        value: Amount::from_u128(5),
    };
    SlotLost {
        digest: "0x1".into(),
        execution: execution_id(transfer()),
        plan: Plan::Evm(plan),
    }
}

/// A transfer with a history, and an account without money that knows, or does not, what was signed in a lost one.
fn states(history: &[TransferEvent], is_lost: bool) -> States {
    let (mut folded, mut slots) = (TransferState::default(), SlotsState::default());
    for event in history {
        Transfer::evolve(&mut folded, event);
    }
    if is_lost {
        Slots::evolve(&mut slots, &SlotsEvent::Lost(signed_before()));
    }
    let broke = AccountState {
        status: Some(AccountStatus::Open),
        vault: Some(vault()),
        chain: Some(ChainId::try_new("eip155:31337").expect("valid")),
        address: Some("0xA".into()),
        ..AccountState::default()
    };
    let mut states = States::default();
    states.insert(transfer().into(), Arc::new(State::Transfer(folded)), 1);
    states.insert(account().into(), Arc::new(State::Account(broke)), 1);
    states.insert(account().slots().into(), Arc::new(State::Slots(slots)), 1);
    states
}

fn waiting() -> Vec<TransferEvent> {
    let screened = v1::Screened {
        approvals_needed: 1,
        rule: "approval: one".into(),
    };
    vec![requested().into(), screened.into()]
}

#[test]
fn request_that_was_paid_in_a_lost_history_should_be_taken_whatever_is_left_of_the_money() {
    let ask = RequestTransfer {
        transfer: transfer(),
        organization: organization(),
        request: requested(),
    };
    let refused = ask.decide(&states(&[], false), NOW);
    assert!(
        matches!(
            refused,
            Err(DomainError::Transfer(TransferError::InsufficientFunds { .. }))
        ),
        "{refused:?}"
    );
    let later = NOW.plus_seconds(7_200);
    for now in [NOW, later] {
        let taken = ask.decide(&states(&[], true), now).expect("taken");
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].events.len(), 1, "it is requested");
    }
}

fn changed(command: TransferCommand, is_lost: bool) -> Result<usize, DomainError> {
    let change = ChangeTransfer {
        transfer: transfer(),
        account: account(),
        organization: organization(),
        vault: vault(),
        expected: None,
        command,
    };
    let changes = change.decide(&states(&waiting(), is_lost), NOW)?;
    Ok(changes.iter().map(|change| change.events.len()).sum())
}

#[test]
fn transfer_that_was_signed_in_a_lost_history_should_not_end_without_its_execution() {
    use TransferCommand as C;
    let reason = || "changed our mind".to_owned();
    let late = NOW.plus_seconds(7_200);
    let endings = [
        C::Cancel { reason: reason() },
        C::Deny { reason: reason() },
        C::Expire { now: late },
    ];
    for ending in endings {
        assert_eq!(changed(ending.clone(), false), Ok(1), "{ending:?}");
        assert_eq!(
            changed(ending.clone(), true),
            Err(TransferError::SignedBefore.into()),
            "{ending:?}"
        );
    }
}

#[test]
fn approval_of_what_was_signed_in_a_lost_history_should_have_no_deadline() {
    let late = TransferCommand::Approve {
        now: NOW.plus_seconds(7_200),
    };
    assert_eq!(
        changed(late.clone(), false),
        Err(TransferError::DeadlinePassed.into())
    );
    assert_eq!(changed(late, true), Ok(1));
}

#[test]
fn decision_that_names_another_account_should_be_refused() {
    let change = ChangeTransfer {
        transfer: transfer(),
        account: AccountId::from_uuid(id::random(1, 9)),
        organization: organization(),
        vault: vault(),
        expected: None,
        command: TransferCommand::Approve { now: NOW },
    };
    let mut states = states(&waiting(), true);
    let other = change.account.slots();
    states.insert(other.into(), Arc::new(State::Slots(SlotsState::default())), 0);
    assert_eq!(
        change.decide(&states, NOW).map(|_| ()),
        Err(TransferError::Unknown.into())
    );
}
