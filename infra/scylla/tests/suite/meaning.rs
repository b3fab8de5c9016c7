//! What only this adapter can get wrong: the engine's tie rule, late and repeated writers, buckets, processes side by side.

use std::sync::Arc;

use futures::future::join_all;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::conformance::view_store as suite;
use vaultstream_domain::ports::view_store::{
    Column, Direction, Flush, KeyPart, KeyType, MAX_SCAN, RowKey, Scan, Table, ViewRef,
};
use vaultstream_event_schemas::Family;
use vaultstream_infra_scylla::{BucketWidth, ScyllaOptions};

use crate::setup::{mark, open, options, plain, row, rows};

fn listed(created: u64, id: &str) -> RowKey {
    RowKey {
        table: suite::LISTED.name,
        partition: vec!["o".into()],
        clustering: vec![created.into(), id.into()],
    }
}

fn scan(direction: Direction, limit: usize) -> Scan {
    Scan {
        table: suite::LISTED.name,
        partition: vec!["o".into()],
        prefix: vec![],
        after: None,
        direction,
        limit,
    }
}

/// Everything arrives: in any order, twice, in other batches, from two writers at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushes_in_any_order_should_end_alike() {
    let options = options(suite::families()).await;
    let (one, other) = (open(&options).await, open(&options).await);
    let mut writes = Vec::new();
    for n in 0..400u64 {
        for version in 1..=5u64 {
            let value = if (n + version) % 4 == 0 {
                String::new()
            } else {
                format!("{n} at {version}")
            };
            writes.push(row(listed(n % 40, &n.to_string()), version * 4, &value));
        }
    }
    let mut dumps = Vec::new();
    for generation in 1..=3u32 {
        let view = suite::view(generation);
        one.create(&view, &suite::TABLES).await.expect("created");
        // Another order each time, by a step that meets every place once.
        let step = [1, 999, 1_301][usize::try_from(generation).expect("small") - 1];
        let shuffled: Vec<_> = (0..writes.len())
            .map(|i| writes[i * step % writes.len()].clone())
            .collect();
        for (n, part) in shuffled.chunks(300).enumerate() {
            let store = if n % 2 == 0 { &one } else { &other };
            store.flush(&view, rows(part.to_vec())).await.expect("written");
        }
        if generation > 1 {
            let (again, late) = shuffled.split_at(700);
            let both = futures::join!(
                one.flush(&view, rows(again.to_vec())),
                other.flush(&view, rows(late.to_vec()))
            );
            both.0.and(both.1).expect("repeats are written");
        }
        dumps.push(
            one.dump(&view, &suite::LISTED, None, MAX_SCAN)
                .await
                .expect("dumped"),
        );
    }
    assert!(dumps[0].len() > 250, "{} rows", dumps[0].len());
    assert_eq!(dumps[0], dumps[1]);
    assert_eq!(dumps[0], dumps[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zombie_should_not_undo_what_its_successor_did() {
    let options = options(suite::families()).await;
    let (zombie, successor) = (open(&options).await, open(&options).await);
    let view = suite::view(1);
    successor.create(&view, &suite::TABLES).await.expect("created");
    let flush = |hlc: u64, value: &str, position| Flush {
        totals: vec![row(listed(1, "total"), hlc, value)],
        rows: vec![
            row(listed(2, "row"), hlc, value),
            row(listed(3, "gone"), hlc, if hlc > 5 { "" } else { value }),
        ],
        watermarks: mark(0, 1, position),
    };
    zombie.flush(&view, flush(4, "old", 10)).await.expect("written");
    successor
        .flush(&view, flush(8, "new", 20))
        .await
        .expect("written");
    zombie
        .flush(&view, flush(5, "late", 12))
        .await
        .expect("written, to no effect");
    let keys = [listed(1, "total"), listed(2, "row"), listed(3, "gone")];
    let new = Some(b"new".to_vec());
    let found = zombie.get(&view, &keys).await.expect("readable");
    assert_eq!(found, vec![new.clone(), new, None]);
    let marks = zombie.watermarks(&view).await.expect("readable");
    assert_eq!(marks, mark(0, 1, 20));
}

/// What the adapter relies on is the engine's own rule, so it is asked of the engine alone, in memory and after it was
/// written to disk in two files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engine_should_prefer_the_larger_value_at_equal_stamps() {
    let options = options(suite::families()).await;
    let session = plain(&options.nodes[0]).await;
    let keyspace = &options.prefix;
    let replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    for statement in [
        format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}"),
        format!("CREATE TABLE {keyspace}.t (k int PRIMARY KEY, value blob)"),
    ] {
        session.query_unpaged(statement, ()).await.expect("made");
    }
    let put = format!("UPDATE {keyspace}.t USING TIMESTAMP 7 SET value = ? WHERE k = ?");
    let put = session.prepare(put).await.expect("prepared");
    let values: [&[u8]; 5] = [b"", b"\0", b"\x7f", b"\x80", b"\x80\0"];
    for (k, (a, b)) in (0i32..).zip(values.iter().zip(&values[1..])) {
        for (key, order) in [(2 * k, [a, b]), (2 * k + 1, [b, a])] {
            for value in order {
                session
                    .execute_unpaged(&put, (*value, key))
                    .await
                    .expect("written");
            }
            let select = format!("SELECT value FROM {keyspace}.t WHERE k = ?");
            let found = session.query_unpaged(select, (key,)).await.expect("readable");
            let found = found.into_rows_result().expect("rows");
            let (found,) = found.first_row::<(Vec<u8>,)>().expect("a row");
            assert_eq!(found, b.to_vec(), "{a:?} and {b:?}, in both orders");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_should_make_tables_once() {
    let options = options(suite::families()).await;
    let opened = join_all((0..4).map(|_| open(&options))).await;
    let view = suite::view(1);
    for created in join_all(opened.iter().map(|store| store.create(&view, &suite::TABLES))).await {
        created.expect("created, whoever was first");
    }
    for (n, store) in opened.iter().enumerate() {
        let n = u64::try_from(n).expect("small");
        let flush = rows(vec![row(listed(n, "x"), 1, "value")]);
        store.flush(&view, flush).await.expect("written");
    }
    let all = opened[3]
        .scan(&view, &scan(Direction::Forward, 10))
        .await
        .expect("readable");
    assert_eq!(all.len(), 4);
}

/// A process that only reads creates nothing, sees a generation when it is there, and notices that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_should_find_what_another_process_made() {
    let options = ScyllaOptions {
        buckets: vec![BucketWidth {
            column: "created",
            width: 10,
        }],
        ..options(suite::families()).await
    };
    let writer = open(&options).await;
    // Another width in its settings: a table keeps the one it was made with.
    let reader = ScyllaOptions {
        buckets: vec![],
        ..options
    };
    let reader = open(&reader).await;
    let view = suite::view(1);
    reader
        .get(&view, &[listed(1, "x")])
        .await
        .expect_err("not there yet");
    writer.create(&view, &suite::TABLES).await.expect("created");
    let written = (0..100).map(|n| row(listed(n, "x"), 1, "value")).collect();
    writer.flush(&view, rows(written)).await.expect("written");
    let value = Some(b"value".to_vec());
    let found = reader.get(&view, &[listed(77, "x")]).await.expect("readable");
    assert_eq!(found, vec![value]);
    let found = reader
        .scan(&view, &scan(Direction::Backward, 95))
        .await
        .expect("readable");
    assert_eq!(found.len(), 95);
    assert_eq!(found[94].clustering[0], KeyPart::Number(5));
    writer.drop_generation(&view).await.expect("dropped");
    reader.get(&view, &[listed(77, "x")]).await.expect_err("gone");
    assert!(reader.watermarks(&view).await.expect("none").is_empty());
    writer.create(&view, &suite::TABLES).await.expect("made anew");
    assert_eq!(
        reader.get(&view, &[listed(77, "x")]).await.expect("readable"),
        vec![None]
    );
}

/// One row in each of very many buckets: pages are full all the same, and cost some reads, not one a bucket of time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sparse_buckets_should_fill_pages() {
    let store = open(&options(suite::families()).await).await;
    let view = suite::view(1);
    store.create(&view, &suite::TABLES).await.expect("created");
    let day = 86_400_000_000u64;
    let created: Vec<u64> = (0..200).map(|n| 1_700_000_000_000_000 + n * 11 * day).collect();
    let written = created.iter().map(|at| row(listed(*at, "x"), 1, "v")).collect();
    store.flush(&view, rows(written)).await.expect("written");
    for direction in [Direction::Forward, Direction::Backward] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = Scan {
                after: after.clone(),
                ..scan(direction, 45)
            };
            let page = store.scan(&view, &page).await.expect("readable");
            let Some(last) = page.last() else { break };
            after = Some(last.clustering.clone());
            seen.extend(page.iter().map(|row| row.clustering[0].clone()));
        }
        let mut expected: Vec<KeyPart> = created.iter().map(|at| KeyPart::Number(*at)).collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

/// A dump whose memory holds a few rows only reads the table again and again, and gives the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_dump_memory_should_change_nothing() {
    let roomy = options(suite::families()).await;
    let tight = ScyllaOptions {
        dump_bytes: 1 << 20,
        ..roomy.clone()
    };
    let (roomy, tight) = (Arc::new(open(&roomy).await), open(&tight).await);
    let view = suite::view(1);
    roomy.create(&view, &suite::TABLES).await.expect("created");
    let value = "v".repeat(3_000);
    let written = (0..1_500)
        .map(|n| row(listed(n * 31 % 1_500, "x"), 1, &value))
        .collect();
    roomy.flush(&view, rows(written)).await.expect("written");
    let (mut all, mut after): (Vec<RowKey>, Option<RowKey>) = (Vec::new(), None);
    loop {
        let page = tight
            .dump(&view, &suite::LISTED, after.as_ref(), 170)
            .await
            .expect("dumped");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(all, (0..1_500).map(|n| listed(n, "x")).collect::<Vec<_>>());
    let whole = roomy
        .dump(&view, &suite::LISTED, None, MAX_SCAN)
        .await
        .expect("dumped");
    assert_eq!(whole.len(), MAX_SCAN);
    assert!(whole.iter().map(|(key, _)| key).eq(&all[..MAX_SCAN]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_sizes_should_be_refused_before_anything_is_written() {
    const ID: &[Column] = &[Column {
        name: "id",
        kind: KeyType::Text,
    }];
    const OWN: &[Column] = &[Column {
        name: "bucket",
        kind: KeyType::Number,
    }];
    let store = open(&options(suite::families()).await).await;
    let view = suite::view(1);
    let long = "a".repeat(40);
    for (name, partition) in [
        ("x; DROP KEYSPACE system", ID),
        ("Vault", ID),
        ("", ID),
        ("a__b", ID),
        ("1a", ID),
        (long.as_str(), ID),
        ("good", OWN),
        ("empty", &[]),
    ] {
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let table = Table {
            name,
            partition,
            clustering: &[],
        };
        store.create(&view, &[table]).await.expect_err(name);
    }
    let stranger = ViewRef {
        family: Family::Audit,
        ..view.clone()
    };
    let refused = store
        .create(&stranger, &suite::TABLES)
        .await
        .expect_err("no such family");
    assert!(format!("{:?}", refused.source).contains("has no keyspace here"));
    store.create(&view, &suite::TABLES).await.expect("created");
    let text = "k".repeat(8_193);
    for bad in [
        row(listed(1, &text), 1, "v"),
        row(listed(1, "x"), 1 << 63, "v"),
        row(listed(1, "x"), 1, &"v".repeat((8 << 20) + 1)),
    ] {
        let flush = rows(vec![row(listed(1, "good"), 1, "v"), bad]);
        store.flush(&view, flush).await.expect_err("refused");
    }
    assert_eq!(
        store.get(&view, &[listed(1, "good")]).await.expect("readable"),
        vec![None]
    );
}
