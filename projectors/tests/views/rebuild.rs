//! Rebuilds beside live traffic: no read fails, nothing is missed, and a rebuild that differs is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{Flush, RowWrite};
use vaultstream_event_schemas::{Family, Hlc, OrganizationId};
use vaultstream_projectors::read::{PageRequest, TransferFilter, TransferSort};
use vaultstream_projectors::rebuild::RebuildError;
use vaultstream_projectors::tables::{self, key, t};
use vaultstream_projectors::{ProjectorOptions, Reads, ViewName};

use crate::history::History;
use crate::setup::{Node, slug};

/// Reads until told to stop; answers how often. Any failed read fails the test. The pauses of readers and writers here keep
/// the load the same on a slow machine, which would otherwise be given more to rebuild the longer it takes.
fn reader(reads: Reads, organization: OrganizationId, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<u64> {
    tokio::spawn(async move {
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) {
            let page = PageRequest::first(50);
            let list = reads
                .transfers(
                    organization,
                    &TransferFilter::default(),
                    TransferSort::Newest,
                    &page,
                )
                .await;
            assert!(
                !list.expect("a read goes on").items.is_empty(),
                "a switch never shows an empty view"
            );
            assert!(
                !reads
                    .totals(organization)
                    .await
                    .expect("a read goes on")
                    .transfers
                    .is_empty()
            );
            reads
                .feed(organization, &Default::default(), &page)
                .await
                .expect("a read goes on");
            count += 3;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        count
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_should_equal_what_was_folded_live_while_reads_and_writes_go_on() {
    let options = ProjectorOptions {
        rebuild_rows: 150,
        read: 100,
        ..ProjectorOptions::default()
    };
    let mut node = Node::with(options);
    let mut history = History::new(node.registry.clone(), 21);
    history.live(node.log.as_ref(), 1_500).await;
    node.start();
    node.caught_up().await;
    let stop = Arc::new(AtomicBool::new(false));
    let reading = reader(node.reads.clone(), history.organizations[0], stop.clone());
    let (log, written) = (node.log.clone(), Arc::new(AtomicU64::new(0)));
    let writing = tokio::spawn({
        let (stop, written) = (stop.clone(), written.clone());
        async move {
            while !stop.load(Ordering::SeqCst) {
                history.live(log.as_ref(), 20).await;
                written.fetch_add(20, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            history
        }
    });
    let never = CancellationToken::new();
    for name in ViewName::ALL {
        for family in name.families(&node.registry) {
            let rebuilt = node
                .projector
                .rebuild(name, &family, "a test", &never)
                .await
                .expect("rebuilt");
            assert_eq!(rebuilt.same, Some(true), "{name} in {family}");
            assert_eq!(node.generations.current(name, &family), rebuilt.generation);
            let old = name.at(family.clone(), 1);
            assert!(
                node.store.watermarks(&old).await.expect("readable").is_empty(),
                "the old one is gone"
            );
        }
    }
    stop.store(true, Ordering::SeqCst);
    let reads = reading.await.expect("no read failed");
    let _history = writing.await.expect("no write failed");
    assert!(
        reads > 10 && written.load(Ordering::SeqCst) > 100,
        "{reads} reads: something went on meanwhile"
    );
    let (told, views) = (&node.told, node.digests().await.len());
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!(
        (count(&told.begun), told.running.load(Ordering::SeqCst)),
        (views, 0)
    );
    assert!(count(&told.rebuilt) > 1_500, "each view was folded again");
    assert!(count(&told.folded) > 1_500 && count(&told.rows) > 1_500);
    node.caught_up().await;
    let live = node.digests().await;
    for ((name, family), digest) in &live {
        let view = vaultstream_projectors::views::view(*name);
        let reference = node.reference(&view, &name.at(family.clone(), 1_000)).await;
        assert_eq!(
            &reference, digest,
            "{name} in {family}: the new generation went on without a gap"
        );
    }
    assert_eq!(node.switch.abandoned.load(Ordering::SeqCst), 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_that_differs_should_be_given_up() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 5);
    history.live(node.log.as_ref(), 300).await;
    node.start();
    node.caught_up().await;
    let family = Family::Chain(slug(0));
    let at = ViewName::Lookup.at(family.clone(), 1);
    let stray = RowWrite {
        key: key(&tables::LOOKUP_SUBJECT, [t("nobody")], []),
        value: b"{}".to_vec(),
        hlc: Hlc(1),
    };
    node.store
        .flush(
            &at,
            Flush {
                rows: vec![stray],
                ..Flush::default()
            },
        )
        .await
        .expect("written");
    let never = CancellationToken::new();
    let given_up = node
        .projector
        .rebuild(ViewName::Lookup, &family, "a test", &never)
        .await
        .expect_err("differs");
    assert!(
        matches!(given_up, RebuildError::Differs { generation: 2, .. }),
        "{given_up}"
    );
    assert_eq!(
        node.generations.current(ViewName::Lookup, &family),
        1,
        "the old one is read as before"
    );
    assert_eq!(node.switch.abandoned.load(Ordering::SeqCst), 1);
    history.live(node.log.as_ref(), 100).await;
    node.caught_up().await;
    let core = node
        .projector
        .rebuild(ViewName::Balances, &Family::Core, "a test", &never)
        .await;
    assert!(matches!(core, Err(RebuildError::NotCovered { .. })));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn view_of_an_older_fold_should_be_read_until_it_is_rebuilt() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 6);
    history.live(node.log.as_ref(), 400).await;
    node.start();
    node.caught_up().await;
    let family = Family::Chain(slug(1));
    let at = ViewName::Transfers.at(family.clone(), 1);
    let older = RowWrite {
        key: key(&tables::ABOUT, [t("version")], []),
        value: br#"{"pos":99}"#.to_vec(),
        hlc: Hlc(2),
    };
    node.store
        .flush(
            &at,
            Flush {
                rows: vec![older],
                ..Flush::default()
            },
        )
        .await
        .expect("written");
    let mut node = node.restarted(ProjectorOptions::default()).await;
    history.live(node.log.as_ref(), 50).await;
    node.projector.prepare().await.expect("prepared");
    for organization in &history.organizations {
        node.reads
            .totals(*organization)
            .await
            .expect("readable before anything runs");
    }
    node.start();
    node.caught_up().await;
    assert_eq!(
        node.generations.current(ViewName::Transfers, &family),
        2,
        "rebuilt by itself"
    );
    assert_eq!(
        node.generations.current(ViewName::Feed, &family),
        1,
        "and nothing else was"
    );
    node.stop().await;
}
