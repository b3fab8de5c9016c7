//! A proof over a small tree, and every way of spoiling it.

use super::*;
use crate::checkpoint::ShardRoot;
use crate::merkle::{Frontier, PathBuilder};
use crate::note::tests::signed;
use crate::record::tests::event;

const SIZE: u64 = 100;

fn leaf(event: &StoredEvent) -> Hash {
    leaf_hash(
        event.envelope.shard,
        event.envelope.incarnation,
        event.position,
        event.hlc,
        &event.hash,
    )
}

fn proof() -> (Proof, Keys) {
    let event = event();
    let mut tree = Frontier::default();
    let mut path = PathBuilder::try_new(event.position - 1, SIZE).expect("in the tree");
    for position in 1..=SIZE {
        let leaf = if position == event.position {
            leaf(&event)
        } else {
            [u8::try_from(position).expect("small"); 32]
        };
        tree.push(leaf);
        path.pass(leaf);
    }
    let checkpoint = Checkpoint {
        origin: "vaultstream/test/log".into(),
        number: 5,
        sealed_at: Timestamp::from_micros(1_795_000_001_000_000),
        previous: Some([1; 32]),
        shards: vec![ShardRoot {
            shard: event.envelope.shard,
            incarnation: 1,
            size: SIZE,
            root: tree.root(),
        }],
        losses: vec![],
    };
    let (note, keys) = signed("vaultstream/test/log", 3, &checkpoint.to_string());
    let path = path.finish().expect("all passed");
    (
        Proof {
            event,
            path,
            checkpoint: note.to_string(),
        },
        keys,
    )
}

#[test]
fn proof_should_travel_as_a_file_and_prove_its_event() {
    let (proof, keys) = proof();
    let read = Proof::from_file(&proof.to_file().expect("a file")).expect("a proof");
    assert_eq!(read, proof);
    let proven = read.check(&keys).expect("proven");
    assert_eq!((proven.position, proven.checkpoint), (42, 5));
    assert_eq!(proven.event, proof.event.envelope.event_ref());
    assert!(proof.path_bytes() <= 2048);
}

#[test]
fn every_change_of_a_proof_should_be_found() {
    let (whole, keys) = proof();
    let text = String::from_utf8(whole.to_file().expect("a file")).expect("UTF-8");
    let spoil = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        Proof::from_file(changed.as_bytes()).and_then(|proof| proof.check(&keys))
    };
    let place = format!("\"position\":{}", whole.event.position);
    assert!(matches!(
        spoil(&place, "\"position\":43"),
        Err(ProofError::Root { .. })
    ));
    assert!(matches!(
        spoil(&place, "\"position\":0"),
        Err(ProofError::Event(RecordError::Position))
    ));
    assert!(matches!(
        spoil(&place, "\"position\":101"),
        Err(ProofError::Uncovered { .. })
    ));
    assert!(matches!(
        spoil("\"hlc\":17", "\"hlc\":18"),
        Err(ProofError::Root { .. })
    ));
    assert!(matches!(
        spoil("\"sequence\":", "\"sequence\":1"),
        Err(ProofError::Event(_))
    ));
    assert!(matches!(
        spoil("number 5", "number 6"),
        Err(ProofError::Belief(_))
    ));
    assert!(matches!(
        spoil("vaultstream-proof/1", "vaultstream-proof/2"),
        Err(ProofError::Form(_))
    ));
    let first = hex::encode(whole.path[0]);
    let other = hex::encode([7; 32]);
    assert!(matches!(spoil(&first, &other), Err(ProofError::Root { .. })));
    assert!(matches!(
        spoil(&format!("\"{first}\","), ""),
        Err(ProofError::Root { .. })
    ));
    assert!(matches!(spoil(&first, &first[2..]), Err(ProofError::Form(_))));
    let stranger = signed("vaultstream/test/log", 4, "x\n").1;
    assert!(matches!(whole.check(&stranger), Err(ProofError::Belief(_))));
}
