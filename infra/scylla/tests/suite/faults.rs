//! The engine killed, restarted or frozen in the middle of flushes: an error or an answer in time, and everything below a
//! watermark is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::conformance::view_store as suite;
use vaultstream_domain::ports::view_store::{Direction, Flush, MAX_SCAN, RowKey, Scan};
use vaultstream_engines::Cassandra;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_scylla::{ScyllaOptions, ScyllaViews};

use crate::setup::{mark, row};

fn key(position: u64) -> RowKey {
    RowKey {
        table: suite::COUNTED.name,
        partition: vec![1u64.into()],
        clustering: vec![position.into()],
    }
}

async fn start() -> Cassandra {
    tokio::task::spawn_blocking(Cassandra::start)
        .await
        .expect("starts")
        .expect("cassandra starts")
}

/// A writer as a lane is one: a flush that fails throws it away, and it begins anew where the store's watermark stands. An
/// engine that is killed may forget the newest of what it answered, but then the watermark behind it, too. It stops only
/// after a flush that was answered: one that was not may still arrive.
async fn write(store: Arc<ScyllaViews>, stop: Arc<AtomicBool>, failures: Arc<AtomicU64>) -> u64 {
    let view = suite::view(1);
    let mut position = 0;
    loop {
        let next = position + 50;
        let flush = Flush {
            rows: (position + 1..=next)
                .map(|n| row(key(n), n, &n.to_string()))
                .collect(),
            watermarks: mark(1, 1, next),
            ..Flush::default()
        };
        match store.flush(&view, flush).await {
            Ok(()) if stop.load(Ordering::SeqCst) => return next,
            Ok(()) => position = next,
            Err(_) => {
                failures.fetch_add(1, Ordering::SeqCst);
                position = marked(&store).await;
            }
        }
    }
}

/// Where a lane that is opened again begins, once the engine can say.
async fn marked(store: &ScyllaViews) -> u64 {
    loop {
        if let Ok(marks) = store.watermarks(&suite::view(1)).await {
            return marks.get(&ShardNumber(1)).map_or(0, |place| place.position);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn everything(store: &ScyllaViews) -> u64 {
    let (mut count, mut after) = (0, None);
    loop {
        let scan = Scan {
            table: suite::COUNTED.name,
            partition: vec![1u64.into()],
            prefix: vec![],
            after,
            direction: Direction::Forward,
            limit: MAX_SCAN,
        };
        let page = store.scan(&suite::view(1), &scan).await.expect("readable");
        let Some(last) = page.last() else { return count };
        after = Some(last.clustering.clone());
        for row in &page {
            count += 1;
            assert_eq!(row.clustering, vec![count.into()], "no hole");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engine_killed_amid_flushes_should_leave_no_hole_below_its_watermark() {
    let engine = start().await;
    let options = ScyllaOptions {
        timeout: Duration::from_secs(2),
        ..ScyllaOptions::new(vec![engine.contact_point()], "faults", suite::families())
    };
    let store = Arc::new(ScyllaViews::open(options.clone()).await.expect("opens"));
    let view = suite::view(1);
    store.create(&view, &suite::TABLES).await.expect("created");
    let (stop, failures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writing = tokio::spawn(write(store.clone(), stop.clone(), failures.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let engine = tokio::task::spawn_blocking(move || {
        engine.kill().expect("killed");
        engine.restart().expect("restarted");
        engine
    })
    .await
    .expect("killed and restarted");
    let before = marked(&store).await;
    let begun = Instant::now();
    while marked(&store).await < before + 500 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "writing goes on by itself"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let written = writing.await.expect("the writer ends");
    let failures = failures.load(Ordering::SeqCst);
    println!("killed: {failures} flushes failed, {written} rows answered as written");
    assert!(failures > 0, "the engine was gone for a while");
    assert_eq!(marked(&store).await, written);
    assert_eq!(everything(&store).await, written);
    drop(store);
    let store = ScyllaViews::open(options).await.expect("opens again");
    assert_eq!(
        everything(&store).await,
        written,
        "and so another process sees it"
    );
    drop(engine);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_engine_should_be_an_error_in_time() {
    let engine = start().await;
    let options = ScyllaOptions {
        timeout: Duration::from_millis(1_500),
        ..ScyllaOptions::new(vec![engine.contact_point()], "frozen", suite::families())
    };
    let store = ScyllaViews::open(options).await.expect("opens");
    let view = suite::view(1);
    store.create(&view, &suite::TABLES).await.expect("created");
    store.flush(&view, suite::one_row(1)).await.expect("written");
    engine.pause().expect("frozen");
    let begun = Instant::now();
    store
        .flush(&view, suite::one_row(2))
        .await
        .expect_err("nobody answers");
    store.get(&view, &[key(1)]).await.expect_err("nobody answers");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    engine.resume().expect("goes on");
    let begun = Instant::now();
    while store.flush(&view, suite::one_row(2)).await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it comes back by itself"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
