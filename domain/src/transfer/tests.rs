//! Given events, when a command, then events: the Transfer aggregate.

use proptest::prelude::*;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{
    AccountId, Amount, AssetId, Grounds, Sealed, Timestamp, TransferId, TransferStatus, VaultId, id,
};

use super::*;
use crate::decider::Decider;
use crate::given::given;

fn requested() -> v1::Requested {
    v1::Requested {
        account: AccountId::from_uuid(id::random(1, 1)),
        amount: Amount::from_u128(5),
        asset: AssetId::try_new("eip155:31337/slip44:60").expect("valid"),
        destination: "0xB".into(),
        expires_at: Timestamp::from_micros(1_000),
        external_id: None,
        fee_max: None,
        memo: None,
        vault: VaultId::from_uuid(id::random(1, 2)),
    }
}

fn screened(approvals_needed: u32) -> TransferEvent {
    v1::Screened {
        approvals_needed,
        rule: "approval: one".into(),
    }
    .into()
}

fn completed() -> v1::Completed {
    v1::Completed {
        block: BlockRef {
            hash: "0x1".into(),
            height: 1,
        },
        fee: Amount::from_u128(1),
        txid: "0x2".into(),
    }
}

fn failed() -> v1::Failed {
    v1::Failed {
        code: "insufficient-funds".into(),
        detail: "spent by another".into(),
    }
}

fn execution() -> vaultstream_event_schemas::ExecutionId {
    execution_id(TransferId::from_uuid(id::random(1, 3)))
}

fn waiting() -> Vec<TransferEvent> {
    vec![requested().into(), screened(1)]
}

#[test]
fn transfer_should_wait_for_an_approval_when_one_is_needed() {
    let now = Timestamp::from_micros(999);
    given::<Transfer>(&waiting())
        .when(&TransferCommand::Approve { now })
        .then(&[v1::Approved { approvals: 1 }.into()]);
    let started = TransferCommand::StartExecution {
        execution: execution(),
    };
    given::<Transfer>(&waiting())
        .when(&started)
        .refuses(&TransferError::WrongStatus(TransferStatus::AwaitingApproval));
    given::<Transfer>(&[requested().into(), screened(0)])
        .when(&started)
        .then(&[v1::ExecutionStarted {
            execution: execution(),
        }
        .into()]);
}

#[test]
fn approval_should_end_at_the_deadline() {
    let now = Timestamp::from_micros(1_000);
    given::<Transfer>(&waiting())
        .when(&TransferCommand::Approve { now })
        .refuses(&TransferError::DeadlinePassed);
    given::<Transfer>(&waiting())
        .when(&TransferCommand::Expire { now })
        .then(&[v1::Expired { deadline: now }.into()]);
    given::<Transfer>(&waiting())
        .when(&TransferCommand::Expire {
            now: Timestamp::from_micros(1),
        })
        .then(&[]);
}

#[test]
fn one_denial_should_end_it() {
    let denied: TransferEvent = v1::Denied {
        reason: "unknown payee".into(),
    }
    .into();
    given::<Transfer>(&waiting())
        .when(&TransferCommand::Deny {
            reason: "unknown payee".into(),
        })
        .then(std::slice::from_ref(&denied));
    let mut history = waiting();
    history.push(denied);
    given::<Transfer>(&history)
        .when(&TransferCommand::Approve {
            now: Timestamp::from_micros(1),
        })
        .refuses(&TransferError::WrongStatus(TransferStatus::Rejected));
}

#[test]
fn transfer_should_have_one_execution_and_no_withdrawal_after_it() {
    let mut history = vec![
        requested().into(),
        screened(0),
        v1::ExecutionStarted {
            execution: execution(),
        }
        .into(),
    ];
    let other = execution_id(TransferId::from_uuid(id::random(1, 9)));
    given::<Transfer>(&history)
        .when(&TransferCommand::StartExecution { execution: other })
        .refuses(&TransferError::ExecutionFixed);
    given::<Transfer>(&history)
        .when(&TransferCommand::Cancel {
            reason: "late".into(),
        })
        .refuses(&TransferError::WrongStatus(TransferStatus::Executing));
    history.push(completed().into());
    given::<Transfer>(&history)
        .when(&TransferCommand::Fail(failed()))
        .refuses(&TransferError::WrongStatus(TransferStatus::Completed));
    given::<Transfer>(&history)
        .when(&TransferCommand::Complete(completed()))
        .then(&[]);
}

#[test]
fn request_should_refuse_nothing_as_an_amount() {
    let zero = v1::Requested {
        amount: Amount::ZERO,
        ..requested()
    };
    given::<Transfer>(&[])
        .when(&TransferCommand::Request(zero))
        .refuses(&TransferError::ZeroAmount);
    given::<Transfer>(&[requested().into()])
        .when(&TransferCommand::Request(requested()))
        .then(&[]);
}

fn any_command() -> impl Strategy<Value = TransferCommand> {
    let at = (0i64..2_000).prop_map(Timestamp::from_micros);
    prop_oneof![
        Just(TransferCommand::Request(requested())),
        (0u32..2).prop_map(|approvals_needed| TransferCommand::RecordScreening(v1::Screened {
            approvals_needed,
            rule: "r".into()
        })),
        at.clone().prop_map(|now| TransferCommand::Approve { now }),
        Just(TransferCommand::Deny { reason: "no".into() }),
        Just(TransferCommand::Cancel { reason: "no".into() }),
        at.prop_map(|now| TransferCommand::Expire { now }),
        Just(TransferCommand::StartExecution {
            execution: execution()
        }),
        Just(TransferCommand::Complete(completed())),
        Just(TransferCommand::Fail(failed())),
    ]
}

proptest! {
    #[test]
    fn any_history_should_keep_the_invariants(commands in prop::collection::vec(any_command(), 0..40)) {
        let mut state = TransferState::default();
        let (mut starts, mut ends) = (0, 0);
        for command in commands {
            let before = state.status;
            let Ok(events) = Transfer::decide(&state, &command) else { continue };
            for event in events {
                if matches!(event, TransferEvent::ExecutionStarted(_)) { starts += 1; }
                Transfer::evolve(&mut state, &event);
                if state.status.is_some_and(TransferStatus::is_terminal) { ends += 1; }
                if matches!(event, TransferEvent::Completed(_)) { prop_assert_eq!(before, Some(TransferStatus::Executing)); }
            }
            if before.is_some_and(TransferStatus::is_terminal) { prop_assert_eq!(before, state.status); }
        }
        prop_assert!(starts <= 1 && ends <= 1, "{} starts, {} ends", starts, ends);
    }
}

#[test]
fn memo_should_be_erased_once_and_leave_the_transfer_as_it_was() {
    let erase = TransferCommand::EraseMemo {
        grounds: Grounds::Retention,
    };
    let erased: TransferEvent = v1::MemoErased {
        grounds: Grounds::Retention,
    }
    .into();
    given::<Transfer>(&waiting())
        .when(&erase)
        .refuses(&TransferError::NoMemo);
    let noted = v1::Requested {
        memo: Some(Sealed::from_parts("trf_1", &[0; 12], b"sealed")),
        ..requested()
    };
    let mut history = vec![noted.into(), screened(1)];
    given::<Transfer>(&history)
        .when(&erase)
        .then(std::slice::from_ref(&erased));
    history.push(erased);
    let given = given::<Transfer>(&history);
    let state = given.state();
    assert_eq!(state.status, Some(TransferStatus::AwaitingApproval));
    assert!(state.is_memo_erased && state.request.as_ref().is_some_and(|r| r.memo.is_none()));
    given.when(&erase).then(&[]);
    let now = Timestamp::from_micros(999);
    given
        .when(&TransferCommand::Approve { now })
        .then(&[v1::Approved { approvals: 1 }.into()]);
}
