//! The text of a mark: one way to write it, and everything else refused.

use proptest::prelude::*;

use super::*;
use crate::chain::EvmPlan;
use crate::id;
use crate::money::Amount;

pub fn bind(nonce: u64) -> MarkedBind {
    let uuid = |n| id::random(1, n);
    MarkedBind {
        execution: ExecutionId::from_uuid(uuid(1)),
        organization: OrganizationId::from_uuid(uuid(2)),
        vault: VaultId::from_uuid(uuid(3)),
        account: AccountId::from_uuid(uuid(4)),
        digest: "0xabcd".to_owned(),
        plan: Plan::Evm(EvmPlan {
            chain_id: 31337,
            data: "0x".into(),
            from: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
            gas_limit: 21_000,
            max_fee_per_gas: Amount::from_u128(2),
            max_priority_fee_per_gas: Amount::from_u128(1),
            nonce,
            to: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
            value: Amount::from_u128(5),
        }),
    }
}

fn shard(number: u16, position: u64) -> MarkedShard {
    MarkedShard {
        shard: ShardNumber(number),
        incarnation: 1,
        position,
        hash: [9; 32],
    }
}

fn sample() -> Mark {
    Mark {
        origin: "vaultstream/main/log".into(),
        number: 12,
        marked_at: "2026-11-26T10:00:00.5Z".parse().expect("a time"),
        previous: Some([9; 32]),
        checkpoint: Some(7),
        release: None,
        shards: vec![shard(0, 5_123), shard(3, 0)],
        binds: vec![bind(7), bind(8)],
    }
}

#[test]
fn text_should_come_back() {
    let text = sample().to_string();
    assert!(
        text.contains("\ncheckpoint 7\nrelease none\nshard 0 1 5123 0909"),
        "{text}"
    );
    assert!(text.contains("\nbind exe_"), "{text}");
    assert_eq!(text.parse(), Ok(sample()));
    let first = Mark {
        number: 1,
        previous: None,
        checkpoint: None,
        release: Some([1; 32]),
        shards: vec![],
        binds: vec![],
        ..sample()
    };
    assert_eq!(first.to_string().parse(), Ok(first));
}

#[test]
fn any_other_text_should_be_refused() {
    let text = sample().to_string();
    for (from, to) in [
        ("number 12", "number 012"),
        ("number 12", "number 0"),
        ("/1\n", "/2\n"),
        ("vaultstream/main/log", "vaultstream main"),
        ("checkpoint 7", "checkpoint"),
        ("checkpoint 7", "checkpoint 07"),
        ("release none", "release nothing"),
        ("shard 3 1 0", "shard 0 1 0"),
        ("bind exe_", "bind acc_"),
        ("{\"evm\"", "{ \"evm\""),
        ("\"nonce\":8", "\"nonce\":8,\"more\":1"),
        ("0909\nshard", "0A09\nshard"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in the text");
        assert!(changed.parse::<Mark>().is_err(), "{from} → {to}");
    }
    let swapped = text.replace("bind", "shard");
    assert!(swapped.parse::<Mark>().is_err());
    assert!(format!("{text}\n").parse::<Mark>().is_err());
    assert!("".parse::<Mark>().is_err());
}

#[test]
fn mark_should_hold_no_more_binds_than_it_may_and_fit_a_note() {
    let mut mark = sample();
    mark.binds = (0..MAX_BINDS as u64).map(bind).collect();
    let text = mark.to_string();
    assert!(text.len() < crate::note::MAX_NOTE / 2, "{}", text.len());
    assert_eq!(text.parse(), Ok(mark.clone()));
    mark.binds.push(bind(0));
    assert!(mark.to_string().parse::<Mark>().is_err());
}

proptest! {
    #[test]
    fn garbage_should_be_refused_not_panic(text: String) {
        let _ = text.parse::<Mark>();
        let _ = format!("a\n{FORMAT}\n{text}").parse::<Mark>();
        let _ = sample().to_string().replacen("shard 3", &text, 1).parse::<Mark>();
    }
}
