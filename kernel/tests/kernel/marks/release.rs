//! What a log has forgotten, and how operators end its quarantine.

use vaultstream_domain::execution::RecordLostSlots;
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::note::signer::SignerKey;
use vaultstream_event_schemas::release::Release;
use vaultstream_kernel::mark::lost::lost;
use vaultstream_kernel::mark::release::{RefuseRelease, check, end, signed, statement};
use vaultstream_kernel::mark::{MarkPorts, look};

use super::rig::{Node, Rig, bound, forgotten};

fn operator(name: &str, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, &[seed; 32]).expect("a name")
}

fn public(keys: &[&SignerKey]) -> Keys {
    Keys::new(keys.iter().map(|key| key.public().clone()).collect())
}

async fn state(ports: &MarkPorts) -> Release {
    let looked = look(ports, None).await.expect("looked");
    let lost = lost(ports, looked.mark.as_ref()).await.expect("known");
    statement(ports, &looked, &lost, vec![]).await.expect("stated")
}

/// A log that bound 1 and 2, was marked, bound and marked 3 and 4, and was put back behind that.
async fn rewound(rig: &Rig) -> Node {
    let node = rig.open();
    let marking = node.marking().await;
    for n in 1..=2u128 {
        let bind = bound(n, u64::try_from(n).expect("small") - 1);
        node.bind(&bind).await;
        marking.cover(bind).await.expect("covered");
    }
    node.close(marking).await;
    let copy = rig.copy();
    let node = rig.open();
    let marking = node.marking().await;
    for n in 3..=4u128 {
        let bind = bound(n, u64::try_from(n).expect("small") - 1);
        node.bind(&bind).await;
        marking.cover(bind).await.expect("covered");
    }
    node.close(marking).await;
    rig.put_back(&copy);
    rig.open()
}

#[tokio::test]
async fn lost_binds_should_be_those_behind_the_log_and_no_others() {
    let rig = Rig::new();
    let node = rewound(&rig).await;
    let ports = node.ports();
    let looked = look(&ports, None).await.expect("looked");
    assert!(looked.rewound.is_some());
    let found = lost(&ports, looked.mark.as_ref()).await.expect("known");
    assert_eq!(found.binds, [bound(3, 2), bound(4, 3)]);
    assert!(!found.is_cut);
}

#[tokio::test]
async fn release_should_need_enough_operators_and_what_they_looked_at() {
    let rig = Rig::new();
    let node = rewound(&rig).await;
    let ports = node.ports();
    let (alice, bob, eve) = (operator("alice", 1), operator("bob", 2), operator("eve", 3));
    let operators = public(&[&alice, &bob, &operator("carol", 4)]);
    let text = state(&ports).await.to_string();
    let sign = |key: &SignerKey| key.sign(text.clone()).expect("a note");
    for (notes, valid) in [
        (vec![sign(&alice)], 1),
        (vec![sign(&alice), sign(&alice)], 1),
        (vec![sign(&alice), sign(&eve)], 1),
        (vec![sign(&eve)], 0),
    ] {
        let refused = signed(&notes, &operators, 2);
        assert!(
            matches!(&refused, Err(RefuseRelease::TooFew { valid: v, needed: 2 }) if *v == valid),
            "{refused:?}"
        );
    }
    let other = bob.sign("something else\n".to_owned()).expect("a note");
    let refused = signed(&[sign(&alice), other], &operators, 2);
    assert!(matches!(refused, Err(RefuseRelease::Texts)), "{refused:?}");
    let refused = signed(&[sign(&alice)], &Keys::default(), 0);
    assert!(
        matches!(refused, Err(RefuseRelease::TooFew { .. })),
        "{refused:?}"
    );
    let moved = Note::try_new(
        text.replace("lost 2", "lost 1"),
        sign(&alice).signatures().to_vec(),
    );
    let moved = moved.expect("a note");
    let refused = signed(&[moved], &operators, 1);
    assert!(
        matches!(refused, Err(RefuseRelease::TooFew { .. })),
        "{refused:?}"
    );

    let (stated, names) = signed(&[sign(&bob), sign(&alice)], &operators, 2).expect("two of three");
    assert_eq!(names, ["alice", "bob"]);
    check(&ports, &stated, &state(&ports).await)
        .await
        .expect("as stated");
    // What the log was told of its loss is no change of it, and neither is that it goes on.
    let first = bound(3, 2);
    let tell = RecordLostSlots {
        account: first.account,
        organization: first.organization,
        vault: first.vault,
        lost: vec![forgotten(&first)],
    };
    node.run(tell).await;
    check(&ports, &stated, &state(&ports).await)
        .await
        .expect("as stated");
    let lied = Release {
        lost: 7,
        ..stated.clone()
    };
    let refused = check(&ports, &lied, &state(&ports).await).await;
    assert!(matches!(refused, Err(RefuseRelease::Changed(_))), "{refused:?}");

    let marking = node.marking().await;
    assert!(!marking.standing().is_open());
    let looked = look(&ports, None).await.expect("looked");
    let name = end(&ports, &looked, &stated).await.expect("kept");
    let marks = node.marks().await;
    let last = marks.last().expect("marks");
    assert_eq!((last.number, last.release), (name.number, Some(stated.hash())));
    let looked = look(&ports, None).await.expect("looked");
    assert_eq!(looked.rewound, None, "the log holds the mark that ended it");
    // Who was in quarantine sees it without being started again.
    for _ in 0..1_000 {
        if marking.standing().is_open() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    marking.cover(bound(5, 4)).await.expect("signing goes on");
    let again = lost(&ports, looked.mark.as_ref()).await.expect("known");
    assert_eq!(again.binds, [], "what was released is not lost any more");
}

#[tokio::test]
async fn statement_should_not_outlive_another_mark() {
    let rig = Rig::new();
    let node = rewound(&rig).await;
    let ports = node.ports();
    let stated = state(&ports).await;
    let looked = look(&ports, None).await.expect("looked");
    end(&ports, &looked, &stated).await.expect("kept");
    let refused = check(&ports, &stated, &state(&ports).await).await;
    assert!(
        matches!(refused, Err(RefuseRelease::Changed("the mark"))),
        "{refused:?}"
    );
    end(&ports, &looked, &stated)
        .await
        .expect_err("a release is over one mark and no other");
}
