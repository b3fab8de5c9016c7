//! The pool against a plain model, and its order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use revm::primitives::{Bytes, U256};

use super::*;
use crate::transaction::Payload;

const RICH: u64 = 10_000_000;

fn tx(sender: u8, nonce: u64, price: u128) -> Arc<Transaction> {
    let payload = Payload {
        kind: 0,
        chain_id: 1,
        nonce,
        max_fee: price,
        max_tip: price,
        gas_limit: 21_000,
        to: Some(Address::ZERO),
        value: U256::ZERO,
        input: Bytes::new(),
        access_list: Vec::new(),
    };
    let mut hash = [sender; 32];
    hash[..8].copy_from_slice(&nonce.to_be_bytes());
    hash[8..24].copy_from_slice(&price.to_be_bytes());
    let sender = Address::from([sender; 20]);
    let (r, s) = (U256::ONE, U256::ONE);
    Arc::new(Transaction {
        hash: hash.into(),
        raw: Bytes::new(),
        sender,
        payload,
        odd_y: false,
        r,
        s,
    })
}

fn account(nonce: u64, balance: u64) -> Account {
    Account {
        nonce,
        balance: U256::from(balance),
        ..Account::default()
    }
}

#[test]
fn pool_should_be_full_at_its_limit_but_still_take_replacements() {
    let mut pool = Pool::default();
    let rich = account(0, u64::MAX);
    for nonce in 0..MAX_TRANSACTIONS as u64 {
        pool.admit(tx(1, nonce, 10), &rich).expect("there is room");
    }
    assert_eq!(pool.admit(tx(2, 0, 99), &rich), Err(Refusal::Full));
    let old = tx(1, 7, 10).hash;
    assert_eq!(pool.admit(tx(1, 7, 11), &rich), Ok(Some(old)));
    assert_eq!(pool.len(), MAX_TRANSACTIONS);
}

#[test]
fn drop_unexecutable_should_remove_the_used_and_the_unpayable() {
    let mut pool = Pool::default();
    for (nonce, price) in [(0, 1), (1, 1), (2, 100), (3, 1)] {
        pool.admit(tx(1, nonce, price), &account(0, RICH))
            .expect("admitted");
    }
    let mut dead = pool.drop_unexecutable(|_| account(1, 50_000));
    dead.sort_unstable();
    let mut expected = vec![tx(1, 0, 1).hash, tx(1, 2, 100).hash];
    expected.sort_unstable();
    assert_eq!(dead, expected);
    assert_eq!(pool.status(|_| 1), (1, 1), "nonce 3 now waits behind the gap");
}

#[test]
fn equal_tips_should_be_served_in_order_of_arrival() {
    let mut pool = Pool::default();
    for sender in [3, 1, 2] {
        pool.admit(tx(sender, 0, 7), &account(0, RICH)).expect("admitted");
    }
    let mut feed = pool.feed(0, |_| 0);
    let senders: Vec<u8> = std::iter::from_fn(|| feed.next())
        .map(|tx| tx.sender[0])
        .collect();
    assert_eq!(senders, [3, 1, 2]);
}

proptest! {
    /// Random admissions and removals: the pool equals a map by sender and nonce, and hands out exactly the gap-free
    /// runs, in nonce order per sender.
    #[test]
    fn pool_should_agree_with_a_map(steps in prop::collection::vec((0u8..3, 0u64..8, 1u128..40, any::<bool>()), 1..120)) {
        let mut pool = Pool::default();
        let mut model: BTreeMap<(u8, u64), u128> = BTreeMap::new();
        for (sender, nonce, price, remove) in steps {
            let key = (sender, nonce);
            if remove {
                let held = model.get(&key).copied();
                let removed = held.is_some_and(|price| pool.remove(&tx(sender, nonce, price).hash).is_some());
                prop_assert_eq!(removed, model.remove(&key).is_some());
                continue;
            }
            let others: u128 = model.iter().filter(|((s, n), _)| *s == sender && *n != nonce).map(|(_, p)| p).sum();
            let verdict = match model.get(&key) {
                Some(old) if *old == price => Err(Refusal::Known),
                _ if 21_000 * (others + price) > u128::from(RICH) => Err(Refusal::Full), // any refusal of funds
                Some(old) if price < old * 110 / 100 || price <= *old => Err(Refusal::Underpriced),
                _ => Ok(()),
            };
            let outcome = pool.admit(tx(sender, nonce, price), &account(0, RICH));
            match verdict {
                Ok(()) => {
                    prop_assert!(outcome.is_ok(), "{:?}", outcome);
                    model.insert(key, price);
                }
                Err(Refusal::Full) => {
                    let funds = matches!(outcome, Err(Refusal::Funds(_)));
                    prop_assert!(funds, "{:?}", outcome);
                }
                Err(expected) => prop_assert_eq!(outcome, Err(expected)),
            }
        }
        prop_assert_eq!(pool.len(), model.len());
        let mut expected = 0;
        for sender in 0..3 {
            let run = (0..).take_while(|nonce| model.contains_key(&(sender, *nonce))).count();
            prop_assert_eq!(pool.nonce_after(&Address::from([sender; 20]), 0), run as u64);
            expected += run;
        }
        let mut feed = pool.feed(0, |_| 0);
        let mut next: BTreeMap<Address, u64> = BTreeMap::new();
        let mut handed = 0;
        while let Some(tx) = feed.next() {
            let nonce = next.entry(tx.sender).or_default();
            prop_assert_eq!(tx.payload.nonce, *nonce);
            *nonce += 1;
            handed += 1;
            feed.taken(&tx);
        }
        prop_assert_eq!(handed, expected);
    }
}
