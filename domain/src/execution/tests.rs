//! Stories of the execution context: one debit, proofs, and commitments that add up.

use proptest::prelude::*;
use vaultstream_event_schemas::chain::{BlockRef, EvmPlan, Intent, Plan, RawTransaction};
use vaultstream_event_schemas::execution::v1::{self, BroadcastOutcome, ProofOfDeath};
use vaultstream_event_schemas::{AccountId, Amount, AssetId, ChainId, ExecutionId, ExecutionStatus, id};

use super::*;
use crate::decider::Decider;
use crate::given::given;

fn asset() -> AssetId {
    AssetId::try_new("eip155:31337/slip44:60").expect("valid")
}

/// A payment at a slot value.
pub fn plan(nonce: u64) -> Plan {
    Plan::Evm(EvmPlan {
        chain_id: 31337,
        data: "0x".into(),
        from: "0xA".into(),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::from_u128(2),
        max_priority_fee_per_gas: Amount::from_u128(1),
        nonce,
        to: "0xB".into(),
        value: Amount::from_u128(5),
    })
}

fn queued() -> ExecutionEvent {
    v1::Queued {
        account: AccountId::from_uuid(id::random(1, 1)),
        chain: ChainId::try_new("eip155:31337").expect("valid"),
        intent: Intent {
            amount: Amount::from_u128(5),
            asset: asset(),
            destination: "0xB".into(),
            source: "0xA".into(),
        },
        transfers: vec![],
    }
    .into()
}

fn bound() -> v1::Bound {
    v1::Bound {
        digest: "0xd".into(),
        plan: plan(7),
    }
}

fn signed(txid: &str) -> v1::Signed {
    v1::Signed {
        attempt: 1,
        transaction: RawTransaction {
            raw: "0x02".into(),
            txid: txid.into(),
        },
    }
}

fn block(height: u64) -> BlockRef {
    BlockRef {
        hash: format!("0x{height:x}"),
        height,
    }
}

fn included(height: u64) -> v1::Included {
    v1::Included {
        block: block(height),
        fee: Amount::from_u128(1),
        succeeded: true,
        txid: "0xt".into(),
    }
}

fn dead(proof: ProofOfDeath) -> ExecutionCommand {
    ExecutionCommand::ProveDead(v1::Dead {
        code: "slot-taken".into(),
        detail: "d".into(),
        proof,
    })
}

fn until_signed() -> Vec<ExecutionEvent> {
    vec![
        queued(),
        v1::Planned { plan: plan(0) }.into(),
        bound().into(),
        signed("0xt").into(),
    ]
}

#[test]
fn execution_should_be_bound_before_it_is_signed() {
    given::<Execution>(&until_signed()[..2])
        .when(&ExecutionCommand::AttachSigned(signed("0xt")))
        .refuses(&ExecutionError::WrongStatus(ExecutionStatus::Planned));
    given::<Execution>(&until_signed()[..3])
        .when(&ExecutionCommand::AttachSigned(signed("0xt")))
        .then(&[signed("0xt").into()]);
    given::<Execution>(&until_signed())
        .when(&ExecutionCommand::AttachSigned(signed("0xt")))
        .then(&[]);
    let other = v1::Bound {
        digest: "0xother".into(),
        plan: plan(8),
    };
    given::<Execution>(&until_signed())
        .when(&ExecutionCommand::Bind(other))
        .refuses(&ExecutionError::PlanChanged);
}

#[test]
fn death_after_bind_should_need_the_slots_proof() {
    let consumed = |slot| ProofOfDeath::SlotConsumed {
        block: block(9),
        slot,
    };
    given::<Execution>(&until_signed()[..3])
        .when(&dead(ProofOfDeath::NeverSigned))
        .refuses(&ExecutionError::NoProof);
    given::<Execution>(&until_signed())
        .when(&dead(consumed(6)))
        .refuses(&ExecutionError::NoProof);
    let proven = given::<Execution>(&until_signed());
    let died: ExecutionEvent = v1::Dead {
        code: "slot-taken".into(),
        detail: "d".into(),
        proof: consumed(7),
    }
    .into();
    proven.when(&dead(consumed(7))).then(std::slice::from_ref(&died));
    let mut history = until_signed();
    history.push(died);
    assert_eq!(
        given::<Execution>(&history).state().status,
        Some(ExecutionStatus::Superseded)
    );
}

#[test]
fn moved_inclusion_should_detach_the_old_block_first() {
    let mut history = until_signed();
    history.push(included(3).into());
    given::<Execution>(&history)
        .when(&ExecutionCommand::RecordIncluded(included(4)))
        .then(&[
            v1::Detached {
                block: block(3),
                txid: "0xt".into(),
            }
            .into(),
            included(4).into(),
        ]);
    let foreign = v1::Included {
        txid: "0xforeign".into(),
        ..included(3)
    };
    given::<Execution>(&until_signed())
        .when(&ExecutionCommand::RecordIncluded(foreign))
        .refuses(&ExecutionError::ForeignTransaction("0xforeign".into()));
}

#[test]
fn late_bad_answer_should_not_take_better_news_back() {
    let mut history = until_signed();
    history.push(included(3).into());
    history.push(
        v1::BroadcastTried {
            attempt: 1,
            detail: "timeout".into(),
            node: "n".into(),
            outcome: BroadcastOutcome::Ambiguous,
        }
        .into(),
    );
    assert_eq!(
        given::<Execution>(&history).state().status,
        Some(ExecutionStatus::Included)
    );
}

fn execution(n: u128) -> ExecutionId {
    ExecutionId::from_uuid(id::random(1, n))
}

fn reserve(n: u128, amount: u128, spendable: u128, balance_height: u64) -> SlotsCommand {
    SlotsCommand::Reserve {
        reserve: v1::SlotReserved {
            amount: Amount::from_u128(amount),
            asset: asset(),
            balance_height,
            execution: execution(n),
            fee_asset: asset(),
            fee_max: Amount::from_u128(1),
        },
        spendable: Amount::from_u128(spendable),
        spendable_fee: Amount::from_u128(spendable),
    }
}

fn bind(n: u128, slot: u64, floor: u64) -> SlotsCommand {
    SlotsCommand::Bind {
        bind: v1::SlotBound {
            digest: "0xd".into(),
            execution: execution(n),
            slot,
        },
        fee_max: Amount::from_u128(1),
        floor,
    }
}

fn after(commands: &[SlotsCommand]) -> SlotsState {
    let mut state = SlotsState::default();
    for command in commands {
        let events = Slots::decide(&state, command).expect("accepted");
        events.iter().for_each(|e| Slots::evolve(&mut state, e));
    }
    state
}

#[test]
fn slots_should_be_bound_in_order_without_holes() {
    let state = after(&[reserve(1, 5, 100, 0), reserve(2, 5, 100, 0), bind(2, 0, 0)]);
    assert_eq!(
        Slots::decide(&state, &bind(1, 2, 0)),
        Err(SlotsError::NotNext { given: 2, next: 1 })
    );
    assert!(Slots::decide(&state, &bind(1, 1, 0)).is_ok());
    assert_eq!(
        Slots::decide(&state, &bind(1, 1, 4)),
        Err(SlotsError::NotNext { given: 1, next: 4 })
    );
    assert_eq!(
        Slots::decide(&state, &bind(2, 0, 0)),
        Ok(vec![]),
        "a repeated bind has had its effect"
    );
    assert_eq!(
        Slots::decide(&state, &bind(9, 1, 0)),
        Err(SlotsError::NotReserved)
    );
}

#[test]
fn loser_of_a_race_should_be_told_what_is_left() {
    let lost = Slots::decide(&SlotsState::default(), &reserve(1, 100, 100, 0));
    assert_eq!(
        lost,
        Err(SlotsError::InsufficientFunds {
            asset: asset(),
            spendable: Amount::from_u128(100),
            needed: Amount::from_u128(101)
        })
    );
}

#[test]
fn bound_slot_should_only_be_freed_by_its_own_proof() {
    let state = after(&[reserve(1, 5, 100, 0), bind(1, 0, 0)]);
    let release = |proof| {
        SlotsCommand::Release(v1::SlotReleased {
            execution: execution(1),
            proof,
        })
    };
    assert_eq!(
        Slots::decide(&state, &release(ProofOfDeath::NeverSigned)),
        Err(SlotsError::NoProof)
    );
    let other = ProofOfDeath::SlotConsumed {
        block: block(1),
        slot: 3,
    };
    assert_eq!(Slots::decide(&state, &release(other)), Err(SlotsError::NoProof));
    let own = ProofOfDeath::SlotConsumed {
        block: block(1),
        slot: 0,
    };
    assert!(Slots::decide(&state, &release(own)).is_ok_and(|e| e.len() == 1));
}

#[test]
fn commitment_should_last_until_a_balance_shows_the_money_gone() {
    let consume = SlotsCommand::Consume(v1::SlotConsumed {
        execution: execution(1),
        height: 10,
        slot: 0,
    });
    let state = after(&[reserve(1, 5, 100, 0), bind(1, 0, 0), consume]);
    assert_eq!(
        state.committed(&asset(), 9),
        Amount::from_u128(6),
        "the balance is older than the payment"
    );
    assert_eq!(state.committed(&asset(), 10), Amount::ZERO);
    let events = Slots::decide(&state, &reserve(2, 5, 100, 10)).expect("accepted");
    let mut state = state;
    events.iter().for_each(|e| Slots::evolve(&mut state, e));
    assert_eq!(
        state.entries.len(),
        1,
        "entries whose money is gone from the balance are forgotten"
    );
}

#[test]
fn account_should_carry_a_bounded_number() {
    let mut commands: Vec<_> = (0..MAX_ENTRIES as u128)
        .map(|n| reserve(n, 1, 1_000_000, 0))
        .collect();
    let state = after(&commands);
    assert_eq!(
        Slots::decide(&state, &reserve(9_999, 1, 1_000_000, 0)),
        Err(SlotsError::Full)
    );
    commands.truncate(1);
    assert_eq!(after(&commands).entries.len(), 1);
}

#[derive(Debug, Clone)]
enum Act {
    Reserve(u128, u128),
    Bind(u128),
    Consume(u128),
    Release(u128, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let n = 0u128..6;
    prop_oneof![
        (n.clone(), 1u128..40).prop_map(|(n, a)| Act::Reserve(n, a)),
        n.clone().prop_map(Act::Bind),
        n.clone().prop_map(Act::Consume),
        (n, any::<bool>()).prop_map(|(n, proven)| Act::Release(n, proven)),
    ]
}

proptest! {
    /// Against a purse of 100 that nothing refills: whatever is asked in whatever order, what is committed and what was
    /// paid never exceed the purse, and no slot value has two owners.
    #[test]
    fn any_history_should_never_commit_more_than_there_is(acts in prop::collection::vec(act(), 0..60)) {
        let mut state = SlotsState::default();
        let mut given_out = std::collections::BTreeMap::new();
        for act in acts {
            let committed = state.committed(&asset(), 0).to_u128().expect("small");
            let command = match act {
                Act::Reserve(n, amount) => reserve(n, amount, 100u128.saturating_sub(committed), 0),
                Act::Bind(n) => bind(n, state.next_slot(0), 0),
                Act::Consume(n) => {
                    let slot = state.entries.get(&execution(n)).and_then(|e| e.slot).unwrap_or(99);
                    SlotsCommand::Consume(v1::SlotConsumed { execution: execution(n), height: 5, slot })
                }
                Act::Release(n, proven) => {
                    let slot = state.entries.get(&execution(n)).and_then(|e| e.slot).unwrap_or(99);
                    let proof = if proven { ProofOfDeath::SlotConsumed { block: block(1), slot } } else { ProofOfDeath::NeverSigned };
                    SlotsCommand::Release(v1::SlotReleased { execution: execution(n), proof })
                }
            };
            let Ok(events) = Slots::decide(&state, &command) else { continue };
            for event in &events {
                if let SlotsEvent::Bound(b) = event {
                    let first = given_out.insert(b.slot, b.execution);
                    prop_assert!(first.is_none(), "slot {} has two owners", b.slot);
                }
                Slots::evolve(&mut state, event);
            }
            prop_assert!(state.committed(&asset(), 0) <= Amount::from_u128(100));
        }
    }
}
