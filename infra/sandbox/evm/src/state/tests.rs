//! The inverse of a change, the state root against a second implementation, the past seen through inverses.

use alloy_consensus::proofs;
use alloy_primitives::{U256 as AlloyU256, keccak256};
use proptest::prelude::*;

use super::*;

fn address(tag: u8) -> Address {
    Address::from([tag; 20])
}

fn changes() -> impl Strategy<Value = Changes> {
    let account = (0u64..5, 0u64..1_000_000).prop_map(|(nonce, balance)| Account {
        nonce,
        balance: U256::from(balance),
        code_hash: EMPTY_CODE,
    });
    let accounts = prop::collection::btree_map(0u8..12, prop::option::of(account), 0..8);
    let slots = prop::collection::btree_map((0u8..12, 0u64..40), 0u64..3, 0..30);
    (accounts, slots).prop_map(|(accounts, slots)| Changes {
        accounts: accounts
            .into_iter()
            .map(|(tag, account)| (address(tag), account))
            .collect(),
        slots: slots
            .into_iter()
            .map(|((tag, slot), value)| ((address(tag), U256::from(slot)), U256::from(value)))
            .collect(),
        code: BTreeMap::new(),
    })
}

type Snapshot = (
    BTreeMap<Address, Account>,
    BTreeMap<Address, BTreeMap<U256, U256>>,
    B256,
);

fn snapshot(state: &mut State) -> Snapshot {
    let accounts = state
        .accounts
        .iter()
        .map(|(address, account)| (*address, account.clone()))
        .collect();
    let storage = state
        .storage
        .iter()
        .map(|(address, slots)| (*address, slots.clone()))
        .collect();
    (accounts, storage, state.root())
}

fn no_hashes(_: u64) -> Option<B256> {
    None
}

/// The root as the client library computes it, from scratch.
fn foreign_root(state: &State) -> B256 {
    let accounts = state.accounts.iter().map(|(address, account)| {
        let slots = state.storage.get(address).into_iter().flatten();
        let slots: Vec<_> = slots
            .map(|(slot, value)| {
                let key = keccak256(slot.to_be_bytes::<32>());
                (key, AlloyU256::from_be_bytes(value.to_be_bytes::<32>()))
            })
            .collect();
        let account = alloy_consensus::TrieAccount {
            nonce: account.nonce,
            balance: AlloyU256::from_be_bytes(account.balance.to_be_bytes::<32>()),
            storage_root: proofs::storage_root_unsorted(slots),
            code_hash: account.code_hash.0.into(),
        };
        (alloy_primitives::Address::from(address.0.0), account)
    });
    proofs::state_root_unhashed(accounts).0.into()
}

proptest! {
    #[test]
    fn undoing_all_blocks_should_restore_every_state_between(blocks in prop::collection::vec(changes(), 1..12)) {
        let mut state = State::default();
        let mut before = Vec::new();
        let mut undos = Vec::new();
        for block in &blocks {
            before.push(snapshot(&mut state));
            undos.push(state.apply(block));
        }
        while let (Some(undo), Some(expected)) = (undos.pop(), before.pop()) {
            let stored = Changes::from_stored(&undo.stored()).expect("own encoding reads back");
            prop_assert_eq!(&stored, &undo);
            state.apply(&stored);
            prop_assert_eq!(snapshot(&mut state), expected);
        }
        prop_assert_eq!(state.root(), EMPTY_ROOT);
    }

    #[test]
    fn state_root_should_agree_with_the_client_library(blocks in prop::collection::vec(changes(), 1..6)) {
        let mut state = State::default();
        for block in &blocks {
            state.apply(block);
            prop_assert_eq!(state.root(), foreign_root(&state));
        }
    }

    #[test]
    fn view_should_show_each_block_as_it_was(blocks in prop::collection::vec(changes(), 1..8)) {
        let mut state = State::default();
        let mut undos = Vec::new();
        let mut pasts = Vec::new();
        for block in &blocks {
            undos.push(state.apply(block));
            pasts.push(snapshot(&mut state));
        }
        for (at, (accounts, storage, _)) in pasts.iter().enumerate() {
            let view = View::new(&state, undos[at + 1..].iter().collect(), &no_hashes);
            for tag in 0..12 {
                let who = address(tag);
                prop_assert_eq!(view.account(&who), accounts.get(&who).cloned());
                for slot in (0u64..40).map(U256::from) {
                    let then = storage.get(&who).and_then(|slots| slots.get(&slot)).copied().unwrap_or_default();
                    prop_assert_eq!(view.slot(&who, &slot), then);
                }
            }
        }
    }
}

#[test]
fn overlay_should_report_only_what_differs() {
    let mut state = State::default();
    let rich = Account {
        balance: U256::from(7),
        ..Account::default()
    };
    state.apply(&Changes {
        accounts: [(address(1), Some(rich))].into(),
        ..Changes::default()
    });
    let mut overlay = Overlay::new(View::new(&state, Vec::new(), &no_hashes));
    overlay.credit(address(1), U256::ZERO);
    overlay.credit(address(2), U256::from(5));
    let changes = overlay.finish();
    assert_eq!(
        changes.accounts.keys().copied().collect::<Vec<_>>(),
        vec![address(2)]
    );
}
