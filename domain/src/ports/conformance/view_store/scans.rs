//! What a scan finds, in which order and between which bounds.

use super::*;

pub(super) async fn scans_should_follow_the_keys(store: &impl ViewStore) {
    let writes = [(2, "b"), (10, "a"), (2, "ä"), (2, "a"), (1 << 62, "z"), (0, "Z")]
        .map(|(created, id)| write(list_key("a", created, id), 1, &format!("{created}{id}")));
    store
        .flush(&view(1), rows(writes.to_vec()))
        .await
        .expect("written");
    store
        .flush(&view(1), rows(vec![write(list_key("b", 5, "x"), 1, "other")]))
        .await
        .expect("written");
    store
        .flush(&view(1), rows(vec![write(list_key("a", 3, "gone"), 1, "x")]))
        .await
        .expect("written");
    store
        .flush(&view(1), rows(vec![write(list_key("a", 3, "gone"), 2, "")]))
        .await
        .expect("removed");
    let forward = store
        .scan(&view(1), &listed(Direction::Forward))
        .await
        .expect("readable");
    let high = format!("{}z", 1u64 << 62);
    let expected = ["0Z", "2a", "2b", "2ä", "10a", &high];
    assert_eq!(
        names(&forward),
        expected,
        "numbers as numbers, text as bytes, no removed row"
    );
    assert_eq!(
        forward[1].clustering,
        vec![KeyPart::Number(2), KeyPart::Text("a".into())]
    );
    let mut backward = store
        .scan(&view(1), &listed(Direction::Backward))
        .await
        .expect("readable");
    backward.reverse();
    assert_eq!(backward, forward);
}

pub(super) async fn bounds_and_prefixes_should_cut_exactly(store: &impl ViewStore) {
    let writes = (0..5u64).flat_map(|created| {
        ["a", "b", "c"].map(|id| write(list_key("a", created, id), 1, &format!("{created}{id}")))
    });
    store
        .flush(&view(1), rows(writes.collect()))
        .await
        .expect("written");
    let scan = async |prefix: Vec<KeyPart>, after: Option<(u64, &str)>, direction| {
        let after = after.map(|(created, id)| vec![created.into(), id.into()]);
        let scan = Scan {
            prefix,
            after,
            limit: 3,
            ..listed(direction)
        };
        names(&store.scan(&view(1), &scan).await.expect("readable"))
    };
    let (forward, backward) = (Direction::Forward, Direction::Backward);
    assert_eq!(
        scan(vec![], Some((1, "b")), forward).await,
        ["1c", "2a", "2b"],
        "the bound is exclusive"
    );
    assert_eq!(scan(vec![], Some((1, "b")), backward).await, ["1a", "0c", "0b"]);
    assert_eq!(
        scan(vec![], Some((1, "bb")), forward).await,
        ["1c", "2a", "2b"],
        "the bound need not exist"
    );
    assert_eq!(scan(vec![], Some((4, "c")), forward).await, [""; 0]);
    assert_eq!(scan(vec![3u64.into()], None, forward).await, ["3a", "3b", "3c"]);
    assert_eq!(
        scan(vec![3u64.into()], Some((3, "a")), forward).await,
        ["3b", "3c"]
    );
    assert_eq!(
        scan(vec![3u64.into()], Some((3, "c")), backward).await,
        ["3b", "3a"]
    );
    assert_eq!(
        scan(vec![3u64.into()], Some((1, "z")), forward).await,
        ["3a", "3b", "3c"],
        "a bound before it"
    );
    assert_eq!(
        scan(vec![3u64.into()], Some((4, "a")), forward).await,
        [""; 0],
        "a bound behind it"
    );
    assert_eq!(scan(vec![3u64.into(), "b".into()], None, forward).await, ["3b"]);
    assert_eq!(
        scan(vec![3u64.into(), "b".into()], Some((3, "b")), forward).await,
        [""; 0]
    );
}
