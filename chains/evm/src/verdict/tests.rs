//! The verdict at its borders, and over random facts: final and dead are always justified.

use proptest::prelude::*;
use vaultstream_event_schemas::chain::Block;

use super::*;

fn block(height: u64) -> BlockRef {
    BlockRef {
        hash: format!("0x{height:064x}"),
        height,
    }
}

fn fork(height: u64) -> BlockRef {
    BlockRef {
        hash: format!("0x{:064x}", height + 1_000_000),
        height,
    }
}

fn included(at: BlockRef, followed: Option<BlockRef>, succeeded: bool) -> Attempt {
    Attempt {
        txid: format!("0xin{}", at.height),
        view: TransactionView::Included {
            block: at,
            fee: Amount::from_u128(21_000),
            succeeded,
        },
        followed,
    }
}

fn attempt(view: TransactionView) -> Attempt {
    Attempt {
        txid: "0xaa".to_owned(),
        view,
        followed: None,
    }
}

/// Tip 20, safe 16, finalized 12; the execution's slot is 5.
fn facts(attempts: Vec<Attempt>) -> Facts {
    let tip = Block {
        at: block(20),
        parent: block(19).hash,
    };
    Facts {
        head: ChainHead {
            finalized: block(12),
            safe: block(16),
            tip,
        },
        slot: 5,
        attempts,
        at_finalized: None,
        at_tip: None,
    }
}

fn slots(at: BlockRef, consumed: u64) -> Option<SlotsRead> {
    Some(SlotsRead { at, consumed })
}

#[test]
fn inclusion_should_be_counted_from_the_followed_chain() {
    for (height, confirmations) in [(20, 1), (19, 2), (13, 8)] {
        let verdict = verdict(&facts(vec![included(block(height), Some(block(height)), true)]));
        let Verdict::Included(inclusion) = verdict else {
            panic!("{height}: {verdict:?}");
        };
        assert_eq!(inclusion.confirmations, confirmations);
    }
}

#[test]
fn only_the_final_block_should_make_final_and_failure_too() {
    for succeeded in [true, false] {
        let at_final = verdict(&facts(vec![included(block(12), Some(block(12)), succeeded)]));
        assert!(
            matches!(&at_final, Verdict::Final(i) if i.succeeded == succeeded && i.confirmations == 9),
            "{at_final:?}"
        );
        let above = verdict(&facts(vec![included(block(13), Some(block(13)), succeeded)]));
        assert!(
            matches!(above, Verdict::Included(_)),
            "a reverted transaction is no more final than another: {above:?}"
        );
    }
}

#[test]
fn block_of_another_fork_should_never_count() {
    let other = included(fork(12), Some(block(12)), true);
    let ahead = included(block(21), Some(block(21)), true);
    let unknown = included(block(12), None, true);
    for attempt in [other, ahead, unknown] {
        let mut facts = facts(vec![attempt]);
        facts.at_finalized = slots(block(12), 6);
        assert_eq!(
            verdict(&facts),
            Verdict::Unclear,
            "and it is no proof of death either"
        );
    }
}

#[test]
fn an_older_attempt_should_win_when_it_is_the_one_in_the_chain() {
    let verdict = verdict(&facts(vec![
        included(block(10), Some(block(10)), true),
        attempt(TransactionView::Pooled),
    ]));
    assert!(matches!(verdict, Verdict::Final(i) if i.txid == "0xin10"));
}

#[test]
fn two_attempts_in_one_chain_should_be_unclear() {
    let both = [10, 11].map(|h| included(block(h), Some(block(h)), true));
    assert_eq!(verdict(&facts(both.to_vec())), Verdict::Unclear);
}

#[test]
fn death_should_need_the_slot_consumed_at_the_final_block() {
    let mut facts = facts(vec![attempt(TransactionView::Absent)]);
    assert_eq!(verdict(&facts), Verdict::Unseen);
    facts.at_tip = slots(block(20), 6);
    assert_eq!(verdict(&facts), Verdict::Contested(block(20)));
    facts.at_finalized = slots(block(12), 5);
    assert_eq!(
        verdict(&facts),
        Verdict::Contested(block(20)),
        "5 consumed leaves slot 5 free"
    );
    facts.at_finalized = slots(fork(12), 6);
    assert_eq!(
        verdict(&facts),
        Verdict::Contested(block(20)),
        "read at another block"
    );
    facts.at_finalized = slots(block(12), 6);
    let proof = ProofOfDeath::SlotConsumed {
        block: block(12),
        slot: 5,
    };
    assert_eq!(verdict(&facts), Verdict::SlotConsumedByOther(proof));
}

#[test]
fn a_pooled_attempt_should_outweigh_a_consumed_slot() {
    let mut facts = facts(vec![
        attempt(TransactionView::Absent),
        attempt(TransactionView::Pooled),
    ]);
    facts.at_finalized = slots(block(12), 6);
    assert_eq!(verdict(&facts), Verdict::Pooled("0xaa".to_owned()));
}

fn any_view() -> impl Strategy<Value = (TransactionView, Option<BlockRef>)> {
    let height = 0u64..24;
    let at = (height, any::<bool>()).prop_map(|(h, main)| if main { block(h) } else { fork(h) });
    let inside = (at, any::<bool>(), any::<bool>()).prop_map(|(at, succeeded, known)| {
        let followed = (known && at.height <= 20).then(|| block(at.height));
        let fee = Amount::ZERO;
        let view = TransactionView::Included {
            block: at,
            fee,
            succeeded,
        };
        (view, followed)
    });
    prop_oneof![
        Just((TransactionView::Absent, None)),
        Just((TransactionView::Pooled, None)),
        inside
    ]
}

proptest! {
    #[test]
    fn final_and_dead_should_always_be_justified(
        views in prop::collection::vec(any_view(), 0..4), finalized in 0u64..9, tip in 0u64..9,
    ) {
        let attempts = views.into_iter().map(|(view, followed)| Attempt { txid: "0x".to_owned(), view, followed });
        let mut facts = facts(attempts.collect());
        facts.at_finalized = slots(block(12), finalized);
        facts.at_tip = slots(block(20), tip);
        let on_chain = facts.attempts.iter().filter(|a| {
            matches!(&a.view, TransactionView::Included { block, .. } if Some(block) == a.followed.as_ref())
        });
        match verdict(&facts) {
            Verdict::Final(i) => prop_assert!(i.block.height <= 12 && i.block == block(i.block.height)),
            Verdict::Included(i) => prop_assert!(i.block.height > 12 && i.confirmations == 21 - i.block.height),
            Verdict::SlotConsumedByOther(_) => {
                prop_assert!(finalized > 5 && facts.attempts.iter().all(|a| a.view == TransactionView::Absent));
            }
            _ => prop_assert!(on_chain.count() != 1),
        }
    }
}
