//! Pages, and how far a generation has come.

use super::*;

pub(super) async fn pages_should_hold_still_under_inserts(store: &impl ViewStore) {
    let add = async |created: u64| {
        let row = write(list_key("a", created, "x"), 1, &created.to_string());
        store.flush(&view(1), rows(vec![row])).await.expect("written");
    };
    for created in 10..20 {
        add(created).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for late in [30, 5, 31] {
        let scan = Scan {
            after: after.clone(),
            limit: 4,
            ..listed(Direction::Backward)
        };
        let page = store.scan(&view(1), &scan).await.expect("readable");
        after = page.last().map(|row| row.clustering.clone());
        seen.extend(names(&page));
        add(late).await;
    }
    let expected: Vec<String> = (10..20).rev().chain([5]).map(|n: u64| n.to_string()).collect();
    assert_eq!(
        seen, expected,
        "newer rows move nothing, and older ones appear where they belong"
    );
}

pub(super) async fn long_scans_should_be_cut(store: &impl ViewStore) {
    let key = |position: u64| RowKey {
        table: COUNTED.name,
        partition: vec![3u64.into()],
        clustering: vec![position.into()],
    };
    let count = u64::try_from(MAX_SCAN).expect("small") + 5;
    let writes = (0..count).map(|position| write(key(position), 1, "x")).collect();
    store.flush(&view(1), rows(writes)).await.expect("written");
    let scan = Scan {
        table: COUNTED.name,
        partition: vec![3u64.into()],
        limit: usize::MAX,
        ..listed(Direction::Forward)
    };
    assert_eq!(
        store.scan(&view(1), &scan).await.expect("readable").len(),
        MAX_SCAN
    );
    let none = Scan { limit: 0, ..scan };
    assert_eq!(store.scan(&view(1), &none).await.expect("readable"), vec![]);
}

pub(super) async fn watermarks_should_never_go_back(store: &impl ViewStore) {
    assert_eq!(
        store.watermarks(&view(1)).await.expect("readable"),
        BTreeMap::new()
    );
    let advance = async |shard: u16, incarnation, position| {
        let watermarks = BTreeMap::from([(
            ShardNumber(shard),
            Place {
                incarnation,
                position,
            },
        )]);
        store
            .flush(
                &view(1),
                Flush {
                    watermarks,
                    ..Flush::default()
                },
            )
            .await
            .expect("written");
    };
    advance(1, 1, 5).await;
    advance(2, 1, 7).await;
    advance(1, 1, 9).await;
    advance(1, 1, 3).await;
    advance(2, 2, 1).await;
    let expected = BTreeMap::from([
        (
            ShardNumber(1),
            Place {
                incarnation: 1,
                position: 9,
            },
        ),
        (
            ShardNumber(2),
            Place {
                incarnation: 2,
                position: 1,
            },
        ),
    ]);
    assert_eq!(store.watermarks(&view(1)).await.expect("readable"), expected);
}
