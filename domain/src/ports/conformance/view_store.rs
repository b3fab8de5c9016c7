//! The contract of a view store as code.
//!
//! Rows converge whatever order their writes arrive in; scans and dumps follow the order of keys; views, generations and
//! families do not see each other; what is flushed survives a restart.

mod hostile;
mod restart;

use std::collections::BTreeMap;

use async_trait::async_trait;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, ShardNumber, Slug};

use crate::ports::ViewStore;
use crate::ports::view_store::{
    Column, Direction, Flush, KeyPart, KeyType, MAX_SCAN, Row, RowKey, RowWrite, Scan, Table, ViewRef,
};

/// Makes stores of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Store: ViewStore;
    /// A new, empty one that serves [`families`].
    async fn fresh(&self) -> Self::Store;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, store: Self::Store) -> Self::Store;
}

const fn text(name: &'static str) -> Column {
    Column {
        name,
        kind: KeyType::Text,
    }
}
const fn number(name: &'static str) -> Column {
    Column {
        name,
        kind: KeyType::Number,
    }
}

/// Rows by id.
pub const BY_ID: Table = Table {
    name: "by_id",
    partition: &[text("owner"), text("id")],
    clustering: &[],
};
/// Rows in order.
pub const LISTED: Table = Table {
    name: "listed",
    partition: &[text("owner")],
    clustering: &[number("created"), text("id")],
};
/// Rows whose partition is a number.
pub const COUNTED: Table = Table {
    name: "counted",
    partition: &[number("shard")],
    clustering: &[number("position")],
};
/// The suite's tables.
pub const TABLES: [Table; 3] = [BY_ID, LISTED, COUNTED];

/// The suite's families.
pub fn families() -> Vec<Family> {
    vec![
        Family::Core,
        Family::Chain(Slug::try_new("eth_test").expect("a valid slug")),
    ]
}

/// A generation of the suite's view.
pub const fn view(generation: u32) -> ViewRef {
    ViewRef {
        family: Family::Core,
        view: "suite",
        generation,
    }
}

fn id_key(owner: &str, id: &str) -> RowKey {
    RowKey {
        table: BY_ID.name,
        partition: vec![owner.into(), id.into()],
        clustering: vec![],
    }
}

fn list_key(owner: &str, created: u64, id: &str) -> RowKey {
    RowKey {
        table: LISTED.name,
        partition: vec![owner.into()],
        clustering: vec![created.into(), id.into()],
    }
}

fn write(key: RowKey, hlc: u64, value: &str) -> RowWrite {
    RowWrite {
        key,
        value: value.as_bytes().to_vec(),
        hlc: Hlc(hlc),
    }
}

fn rows(rows: Vec<RowWrite>) -> Flush {
    Flush {
        rows,
        ..Flush::default()
    }
}

/// A flush of one row.
pub fn one_row(n: u64) -> Flush {
    rows(vec![write(id_key("owner", &n.to_string()), n, "value")])
}

fn listed(direction: Direction) -> Scan {
    Scan {
        table: LISTED.name,
        partition: vec!["a".into()],
        prefix: vec![],
        after: None,
        direction,
        limit: MAX_SCAN,
    }
}

fn names(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|row| String::from_utf8_lossy(&row.value).into_owned())
        .collect()
}

async fn created(harness: &impl Harness) -> impl ViewStore {
    let store = harness.fresh().await;
    store.create(&view(1), &TABLES).await.expect("created");
    store
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    rows_should_converge_in_any_order(&created(harness).await).await;
    equal_stamps_should_keep_the_larger_value(&created(harness).await).await;
    scans_should_follow_the_keys(&created(harness).await).await;
    bounds_and_prefixes_should_cut_exactly(&created(harness).await).await;
    pages_should_hold_still_under_inserts(&created(harness).await).await;
    long_scans_should_be_cut(&created(harness).await).await;
    generations_should_not_see_each_other(&created(harness).await).await;
    families_should_not_see_each_other(&created(harness).await).await;
    watermarks_should_never_go_back(&created(harness).await).await;
    dumps_should_page_through_everything(&created(harness).await).await;
    malformed_keys_should_be_refused(&created(harness).await).await;
    hostile::keys_should_come_back_as_they_were(&created(harness).await).await;
    hostile::values_should_be_compared_byte_by_byte(&created(harness).await).await;
    hostile::long_partitions_should_be_read_both_ways(&created(harness).await).await;
    restart::flushes_should_survive_a_restart(harness).await;
}

/// Every order of writing, late writers and repeats included, ends in the same rows.
async fn rows_should_converge_in_any_order(store: &impl ViewStore) {
    let writes = [(10, "first"), (20, ""), (30, "third"), (40, "")];
    for (case, order) in permutations(writes.len()).into_iter().enumerate() {
        for last in 1..=writes.len() {
            let owner = format!("case-{case}-{last}");
            for step in &order {
                let (hlc, value) = writes[*step];
                if *step < last {
                    let flush = rows(vec![write(id_key(&owner, "x"), hlc, value)]);
                    store.flush(&view(1), flush.clone()).await.expect("written");
                    store
                        .flush(&view(1), flush)
                        .await
                        .expect("a repeat changes nothing");
                }
            }
            let found = store
                .get(&view(1), &[id_key(&owner, "x")])
                .await
                .expect("readable");
            let newest = writes[last - 1].1;
            let expected = (!newest.is_empty()).then(|| newest.as_bytes().to_vec());
            assert_eq!(
                found,
                vec![expected],
                "order {order:?} of the first {last} writes"
            );
        }
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    let insert = |p: &Vec<usize>, at: usize| {
        let mut longer = p.clone();
        longer.insert(at, n - 1);
        longer
    };
    shorter
        .iter()
        .flat_map(|p| (0..=p.len()).map(move |at| insert(p, at)))
        .collect()
}

async fn equal_stamps_should_keep_the_larger_value(store: &impl ViewStore) {
    for (case, values) in [["a", "b"], ["b", "a"], ["", "b"], ["b", ""]].iter().enumerate() {
        let key = id_key("ties", &case.to_string());
        for value in values {
            store
                .flush(&view(1), rows(vec![write(key.clone(), 7, value)]))
                .await
                .expect("written");
        }
        let found = store.get(&view(1), &[key]).await.expect("readable");
        assert_eq!(found, vec![Some(b"b".to_vec())], "{values:?}");
    }
    let missing = store
        .get(
            &view(1),
            &[id_key("ties", "none"), id_key("ties", "0"), id_key("ties", "0")],
        )
        .await;
    let present = Some(b"b".to_vec());
    assert_eq!(
        missing.expect("readable"),
        vec![None, present.clone(), present],
        "answers stand in the order asked"
    );
}

async fn scans_should_follow_the_keys(store: &impl ViewStore) {
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

async fn bounds_and_prefixes_should_cut_exactly(store: &impl ViewStore) {
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

async fn pages_should_hold_still_under_inserts(store: &impl ViewStore) {
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

async fn long_scans_should_be_cut(store: &impl ViewStore) {
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

async fn generations_should_not_see_each_other(store: &impl ViewStore) {
    let key = [id_key("o", "x")];
    store.create(&view(2), &TABLES).await.expect("created");
    store
        .flush(&view(1), rows(vec![write(key[0].clone(), 1, "one")]))
        .await
        .expect("written");
    assert_eq!(store.get(&view(2), &key).await.expect("readable"), vec![None]);
    store
        .flush(&view(2), rows(vec![write(key[0].clone(), 1, "two")]))
        .await
        .expect("written");
    store
        .create(&view(1), &TABLES)
        .await
        .expect("to create again does nothing");
    assert_eq!(
        store.get(&view(1), &key).await.expect("readable"),
        vec![Some(b"one".to_vec())]
    );
    let shard = BTreeMap::from([(
        ShardNumber(1),
        Place {
            incarnation: 1,
            position: 5,
        },
    )]);
    let mark = Flush {
        watermarks: shard.clone(),
        ..Flush::default()
    };
    store.flush(&view(1), mark.clone()).await.expect("written");
    store.flush(&view(2), mark).await.expect("written");
    store.drop_generation(&view(1)).await.expect("dropped");
    store
        .get(&view(1), &key)
        .await
        .expect_err("a dropped generation cannot be read");
    assert_eq!(
        store.watermarks(&view(1)).await.expect("readable"),
        BTreeMap::new()
    );
    assert_eq!(
        store.get(&view(2), &key).await.expect("readable"),
        vec![Some(b"two".to_vec())]
    );
    assert_eq!(store.watermarks(&view(2)).await.expect("readable"), shard);
    store.create(&view(1), &TABLES).await.expect("made anew");
    assert_eq!(
        store.get(&view(1), &key).await.expect("readable"),
        vec![None],
        "and empty"
    );
    store
        .drop_generation(&view(9))
        .await
        .expect("nothing to drop is no error");
}

async fn families_should_not_see_each_other(store: &impl ViewStore) {
    let chain = families().pop().expect("two families");
    let other = ViewRef {
        family: chain,
        ..view(1)
    };
    store.create(&other, &TABLES).await.expect("created");
    store.flush(&view(1), one_row(1)).await.expect("written");
    let key = [id_key("owner", "1")];
    assert_eq!(store.get(&other, &key).await.expect("readable"), vec![None]);
    assert_eq!(
        store.get(&view(1), &key).await.expect("readable"),
        vec![Some(b"value".to_vec())]
    );
}

async fn watermarks_should_never_go_back(store: &impl ViewStore) {
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

async fn dumps_should_page_through_everything(store: &impl ViewStore) {
    let keys = [
        ("b", 1, "x"),
        ("a", 10, "x"),
        ("a", 9, "y"),
        ("a", 9, "x"),
        ("c", 0, "gone"),
    ];
    let writes = keys.map(|(owner, created, id)| write(list_key(owner, created, id), 1, id));
    store
        .flush(&view(1), rows(writes.to_vec()))
        .await
        .expect("written");
    store
        .flush(&view(1), rows(vec![write(list_key("c", 0, "gone"), 2, "")]))
        .await
        .expect("removed");
    let (mut all, mut after): (Vec<RowKey>, Option<RowKey>) = (Vec::new(), None);
    loop {
        let page = store
            .dump(&view(1), &LISTED, after.as_ref(), 2)
            .await
            .expect("readable");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(key, _)| key));
    }
    let expected = [("a", 9, "x"), ("a", 9, "y"), ("a", 10, "x"), ("b", 1, "x")];
    assert_eq!(
        all,
        expected.map(|(owner, created, id)| list_key(owner, created, id))
    );
}

async fn malformed_keys_should_be_refused(store: &impl ViewStore) {
    let short = RowKey {
        table: LISTED.name,
        partition: vec!["a".into()],
        clustering: vec![1u64.into()],
    };
    let wrong = RowKey {
        table: LISTED.name,
        partition: vec![1u64.into()],
        clustering: vec![1u64.into(), "x".into()],
    };
    let huge = list_key("a", 1 << 63, "x");
    let stranger = RowKey {
        table: "nowhere",
        ..id_key("a", "b")
    };
    for key in [short, wrong, huge, stranger] {
        store
            .get(&view(1), std::slice::from_ref(&key))
            .await
            .expect_err("cannot be read");
        let flush = rows(vec![write(id_key("good", "row"), 1, "x"), write(key, 1, "x")]);
        store.flush(&view(1), flush).await.expect_err("cannot be written");
    }
    let bound = Scan {
        after: Some(vec![1u64.into()]),
        ..listed(Direction::Forward)
    };
    store
        .scan(&view(1), &bound)
        .await
        .expect_err("a bound needs every part");
}
