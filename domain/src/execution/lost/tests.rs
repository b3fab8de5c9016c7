//! Stories of slot values that a lost history had given out: never to anybody else, and to their own executions only as
//! the same transaction.

use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::execution::v1::ProofOfDeath;
use vaultstream_event_schemas::{Amount, AssetId, ExecutionId, id};

use super::*;
use crate::decider::Decider;
use crate::execution::tests::plan;
use crate::execution::{SlotsError, SlotsEvent};
use crate::given::{Given, given};

fn execution(n: u128) -> ExecutionId {
    ExecutionId::from_uuid(id::random(1, n))
}

fn lost(n: u128, nonce: u64) -> v1::SlotLost {
    v1::SlotLost {
        digest: format!("0x{nonce}"),
        execution: execution(n),
        plan: plan(nonce),
    }
}

fn reserved(n: u128) -> v1::SlotReserved {
    let asset = || AssetId::try_new("eip155:31337/slip44:60").expect("valid");
    v1::SlotReserved {
        amount: Amount::from_u128(5),
        asset: asset(),
        balance_height: 0,
        execution: execution(n),
        fee_asset: asset(),
        fee_max: Amount::from_u128(2),
    }
}

fn bound(n: u128, slot: u64, digest: &str) -> v1::SlotBound {
    v1::SlotBound {
        digest: digest.into(),
        execution: execution(n),
        slot,
    }
}

fn bind(bind: v1::SlotBound, floor: u64) -> SlotsCommand {
    bind_for(bind, 2, floor)
}

fn bind_for(bind: v1::SlotBound, fee: u128, floor: u64) -> SlotsCommand {
    SlotsCommand::Bind {
        bind,
        fee_max: Amount::from_u128(fee),
        floor,
    }
}

fn broke(n: u128) -> SlotsCommand {
    SlotsCommand::Reserve {
        reserve: reserved(n),
        spendable: Amount::ZERO,
        spendable_fee: Amount::ZERO,
    }
}

fn not_next(given: u64, next: u64) -> SlotsError {
    SlotsError::NotNext { given, next }
}

/// An account that bound 0 and 1 itself, and has lost 2 (of 7) and 3 (of 8).
fn rewound() -> Given<Slots> {
    given(&[
        reserved(1).into(),
        bound(1, 0, "0x0").into(),
        reserved(2).into(),
        bound(2, 1, "0x1").into(),
        lost(7, 2).into(),
        lost(8, 3).into(),
        reserved(9).into(),
    ])
}

#[test]
fn lost_value_should_go_to_nobody_else() {
    assert_eq!(rewound().state().next_slot(0), 4);
    for taken in 0..4 {
        rewound()
            .when(&bind(bound(9, taken, "0x9"), 0))
            .refuses(&not_next(taken, 4));
    }
    rewound()
        .when(&bind(bound(9, 4, "0x9"), 0))
        .then(&[bound(9, 4, "0x9").into()]);
}

#[test]
fn its_own_execution_should_get_the_same_transaction_and_no_other() {
    let mut history: Vec<SlotsEvent> = vec![lost(7, 2).into(), lost(8, 3).into(), reserved(7).into()];
    let account = given::<Slots>(&history);
    account
        .when(&bind(bound(7, 4, "0x2"), 9))
        .refuses(&not_next(4, 2));
    account
        .when(&bind(bound(7, 2, "0xother"), 9))
        .refuses(&not_next(2, 2));
    let again = bound(7, 2, "0x2");
    account
        .when(&bind(again.clone(), 9))
        .then(&[again.clone().into()]);
    history.push(again.into());
    let account = given::<Slots>(&history);
    assert_eq!(account.state().lost.len(), 1, "8 has not come again");
    assert_eq!(account.state().next, 4);
}

#[test]
fn money_of_a_lost_history_should_be_committed_though_it_may_be_gone() {
    rewound().when(&broke(7)).then(&[reserved(7).into()]);
    let refused = rewound();
    let Err(SlotsError::InsufficientFunds { .. }) = Slots::decide(refused.state(), &broke(6)) else {
        panic!("nobody else gets money that is not there");
    };
}

#[test]
fn lost_execution_should_not_die_for_want_of_a_signature() {
    let release = |proof| {
        SlotsCommand::Release(v1::SlotReleased {
            execution: execution(7),
            proof,
        })
    };
    rewound()
        .when(&release(ProofOfDeath::NeverSigned))
        .refuses(&SlotsError::NoProof);
    let mut history = vec![lost(7, 2).into(), reserved(7).into(), bound(7, 2, "0x2").into()];
    let block = BlockRef {
        hash: "0x1".into(),
        height: 1,
    };
    let proof = ProofOfDeath::SlotConsumed { block, slot: 2 };
    let released = v1::SlotReleased {
        execution: execution(7),
        proof: proof.clone(),
    };
    given::<Slots>(&history)
        .when(&release(proof))
        .then(&[released.clone().into()]);
    history.push(SlotsEvent::from(released));
    assert!(given::<Slots>(&history).state().entries.is_empty());
}

#[test]
fn loss_should_be_recorded_once_and_only_of_what_is_unknown() {
    let record = |all: Vec<v1::SlotLost>| SlotsCommand::RecordLost(all);
    rewound()
        .when(&record(vec![lost(7, 2), lost(2, 1), lost(9, 4)]))
        .then(&[lost(9, 4).into()]);
    let most = u64::try_from(MAX_LOST).expect("small");
    let full: Vec<_> = (0..most).map(|n| lost(u128::from(n), n).into()).collect();
    given::<Slots>(&full)
        .when(&record(vec![lost(u128::from(most), most)]))
        .refuses(&SlotsError::TooManyLost);
}
