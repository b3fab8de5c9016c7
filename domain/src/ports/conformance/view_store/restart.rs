//! What is flushed survives, and so do removals.

use super::*;

pub(super) async fn flushes_should_survive_a_restart(harness: &impl Harness) {
    let store = harness.fresh().await;
    store.create(&view(1), &TABLES).await.expect("created");
    let place = Place {
        incarnation: 1,
        position: 2,
    };
    let flush = Flush {
        totals: vec![write(id_key("o", "total"), 3, "t")],
        rows: vec![
            write(id_key("o", "row"), 3, "r"),
            write(id_key("o", "gone"), 3, ""),
        ],
        watermarks: BTreeMap::from([(ShardNumber(0), place)]),
    };
    store.flush(&view(1), flush).await.expect("written");
    let store = harness.reopen(store).await;
    store.create(&view(1), &TABLES).await.expect("still there");
    store
        .flush(&view(1), rows(vec![write(id_key("o", "gone"), 2, "late")]))
        .await
        .expect("written");
    let keys = [id_key("o", "total"), id_key("o", "row"), id_key("o", "gone")];
    let found = store.get(&view(1), &keys).await.expect("readable");
    assert_eq!(
        found,
        vec![Some(b"t".to_vec()), Some(b"r".to_vec()), None],
        "a removal outlives a restart"
    );
    let marks = store.watermarks(&view(1)).await.expect("readable");
    assert_eq!(marks, BTreeMap::from([(ShardNumber(0), place)]));
}
