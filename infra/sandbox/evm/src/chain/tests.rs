//! Undoing real blocks, from outside the wire: random blocks, then back to the beginning.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    options::{Durability, Options},
    signer::{ETHER, Key, Plan, token},
};

/// Something that happens before a block.
#[derive(Clone, Debug)]
enum Act {
    Pay { from: u8, to: u8, wei: u64 },
    Deploy { from: u8 },
    Token { from: u8, to: u8, units: u64 },
    Credit { to: u8, wei: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1u8..4, 0u8..6, any::<u64>()).prop_map(|(from, to, wei)| Act::Pay { from, to, wei }),
        (1u8..4).prop_map(|from| Act::Deploy { from }),
        (1u8..4, 0u8..6, 0u64..600_000).prop_map(|(from, to, units)| Act::Token { from, to, units }),
        (0u8..6, 1u64..u64::MAX).prop_map(|(to, wei)| Act::Credit { to, wei }),
    ]
}

fn open(dir: &TempDir) -> Chain {
    let prefunded = (1..4)
        .map(|tag| (Key::new(tag).address(), 1_000 * ETHER))
        .collect();
    let options = Options {
        prefunded,
        durability: Durability::ProcessDeath,
        ..Options::new(dir.path())
    };
    Chain::open(&options, 1).expect("opens")
}

fn perform(chain: &mut Chain, act: &Act) {
    let who = |tag: u8| {
        if (1..4).contains(&tag) {
            Key::new(tag).address()
        } else {
            [tag; 20]
        }
    };
    let (from, plan) = match *act {
        Act::Credit { to, wei } => {
            chain
                .credit(who(to).into(), U256::from(wei))
                .expect("stored")
                .expect("room");
            return;
        }
        Act::Pay { from, to, wei } => (from, Plan::pay(0, who(to), u128::from(wei))),
        Act::Deploy { from } => (
            from,
            Plan {
                to: None,
                gas: 400_000,
                input: token::creation(),
                ..Plan::pay(0, [0; 20], 0)
            },
        ),
        Act::Token { from, to, units } => {
            // the first contract of this key, if it has deployed one: otherwise this is a payment to nobody
            let token = contract(Key::new(from).address());
            let input = token::transfer(who(to), u128::from(units));
            (
                from,
                Plan {
                    gas: 100_000,
                    input,
                    ..Plan::pay(0, token, 0)
                },
            )
        }
    };
    let key = Key::new(from);
    let nonce = chain.pending_nonce(&key.address().into());
    chain
        .submit(&key.sign(&Plan { nonce, ..plan }))
        .expect("valid by construction");
}

fn contract(deployer: [u8; 20]) -> [u8; 20] {
    crate::hash::contract_address(deployer.into(), 0).into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn undoing_all_blocks_should_restore_the_genesis_state(
        blocks in prop::collection::vec(prop::collection::vec(act(), 0..5), 1..10),
        back in 1u64..10,
    ) {
        let dir = TempDir::new().expect("a temporary directory");
        let mut chain = open(&dir);
        let mut roots = vec![chain.head().header.state_root];
        for (at, acts) in blocks.iter().enumerate() {
            acts.iter().for_each(|act| perform(&mut chain, act));
            roots.push(chain.mine(at as u64).expect("mined").header.state_root);
        }
        let height = blocks.len() as u64;
        let request = |depth| ReorgRequest { depth, drop: true, force: true, ..ReorgRequest::default() };
        let back = back.min(height);
        chain.reorg(request(back), 100).expect("undone");
        prop_assert_eq!(chain.head().header.number, height + 1);
        let kept = usize::try_from(height - back).expect("small");
        prop_assert_eq!(chain.head().header.state_root, roots[kept]);
        prop_assert_eq!(chain.state.root(), roots[kept]);
        chain.reorg(request(height + 1), 100).expect("undone");
        prop_assert_eq!(chain.state.root(), roots[0]);
        drop(chain);
        let mut again = open(&dir);
        prop_assert_eq!(again.state.root(), roots[0], "the file agrees with memory");
        prop_assert_eq!(again.head().header.number, height + 2);
    }

    #[test]
    fn garbage_should_never_be_a_transaction(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0u8..4) {
        prop_assert!(Transaction::decode(&bytes, 31_337).is_err());
        let mut typed = vec![kind];
        typed.extend(&bytes);
        prop_assert!(Transaction::decode(&typed, 31_337).is_err());
    }

    #[test]
    fn flipped_bit_should_never_keep_the_sender(kind in 0u8..3, at in 0usize..1_000, bit in 0u8..8) {
        let key = Key::new(1);
        let raw = key.sign(&Plan { kind, ..Plan::pay(3, [7; 20], ETHER) });
        prop_assert_eq!(Transaction::decode(&raw, 31_337).map(|tx| tx.sender.0.0), Ok(key.address()));
        let mut spoiled = raw.clone();
        let at = at % raw.len();
        spoiled[at] ^= 1 << bit;
        if let Ok(tx) = Transaction::decode(&spoiled, 31_337) {
            prop_assert_ne!(tx.sender.0.0, key.address());
        }
    }
}

#[test]
fn failed_write_should_leave_the_chain_as_it_was() {
    let dir = TempDir::new().expect("a temporary directory");
    let mut chain = open(&dir);
    chain.mine(1).expect("mined");
    let (head, root) = (chain.head().hash, chain.state.root());
    let key = Key::new(1);
    chain
        .submit(&key.sign(&Plan::pay(0, [9; 20], 5)))
        .expect("accepted");
    let failed: Result<(), Error> = chain.atomically(|chain| {
        let feed = chain.pool_feed();
        chain.control.fork += 1;
        chain.attach(2, feed, Vec::new())?;
        Err(Error::Damaged("the disk is gone".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(
        (chain.head().hash, chain.state.root(), chain.control.fork),
        (head, root, 0)
    );
    assert_eq!(
        chain.mine(3).expect("mined").header.gas_used,
        21_000,
        "the pool still has it"
    );
}

#[test]
fn code_of_a_contract_should_survive_a_look_at_the_pending_block() {
    let dir = TempDir::new().expect("a temporary directory");
    let mut chain = open(&dir);
    let key = Key::new(1);
    let plan = Plan {
        to: None,
        gas: 400_000,
        input: token::creation(),
        ..Plan::pay(0, [0; 20], 0)
    };
    chain.submit(&key.sign(&plan)).expect("accepted");
    let root = chain.state.root();
    let pending = chain.pending(5).expect("drafted");
    assert_eq!(chain.state.root(), root, "looking changes nothing");
    let mined = chain.mine(5).expect("mined");
    assert_eq!(mined, pending.sealed);
    drop(chain);
    let chain = open(&dir);
    let token = contract(key.address()).into();
    let code = chain.with_state(chain.head(), |view| view.code_of(&token));
    assert_eq!(code.to_vec(), token::runtime());
}

#[test]
fn touched_but_empty_account_should_not_exist() {
    // EIP-161: a payment of nothing to nobody leaves no account behind
    let dir = TempDir::new().expect("a temporary directory");
    let mut chain = open(&dir);
    let before = chain.state.accounts_len();
    chain
        .submit(&Key::new(1).sign(&Plan::pay(0, [0xee; 20], 0)))
        .expect("accepted");
    chain.mine(1).expect("mined");
    assert!(chain.state.account(&Address::from([0xee; 20])).is_none());
    assert_eq!(
        chain.state.accounts_len(),
        before + 1,
        "only the producer of the block is new"
    );
}

/// Not a timed assertion: prints what the start of an old chain costs.
#[test]
fn old_chain_should_open_without_replay() {
    const BLOCKS: u64 = 100_000;
    let dir = TempDir::new().expect("a temporary directory");
    let mut chain = open(&dir);
    // the writing is not what is looked at: a thousand blocks share a commit
    for thousand in 0..BLOCKS / 1_000 {
        chain
            .atomically(|chain| {
                for at in 0..1_000 {
                    chain.attach(thousand * 1_000 + at, Feed::Listed(VecDeque::new()), Vec::new())?;
                }
                Ok::<_, Error>(())
            })
            .expect("mined");
    }
    let head = chain.head().clone();
    drop(chain);
    let started = std::time::Instant::now();
    let chain = open(&dir);
    println!("opened {BLOCKS} blocks in {:?}", started.elapsed());
    assert_eq!(*chain.head(), head);
    assert_eq!(
        chain
            .state_header(BlockRef::Number(BLOCKS - 256))
            .expect("undo reaches it")
            .header
            .number,
        BLOCKS - 256
    );
    assert!(matches!(
        chain.state_header(BlockRef::Number(1)),
        Err(StateError::Pruned { .. })
    ));
}
