//! A rebuild beside live traffic leaves what another store folded: the same dumps, byte by byte. That one log, imported,
//! gives the same dumps in both assemblies is a test of the assemblies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vaultstream_event_schemas::{Family, OrganizationId};
use vaultstream_infra_scylla::ScyllaViews;
use vaultstream_infra_sqlite::{SqliteViews, ViewOptions};
use vaultstream_projectors::read::{PageRequest, TransferFilter, TransferSort};
use vaultstream_projectors::{ProjectorOptions, Reads, ViewName};

use crate::history::History;
use crate::node::{Node, log, slug, stored};
use crate::setup::{open, options};

/// Small flushes and small caches, so that rows come back from the store often.
fn busy() -> ProjectorOptions {
    ProjectorOptions {
        read: 100,
        cache_rows: 60,
        rebuild_rows: 150,
        ..ProjectorOptions::default()
    }
}

fn assert_same(
    one: &Node,
    other: &Node,
    dumps: [&std::collections::BTreeMap<(ViewName, Family), Vec<u8>>; 2],
) {
    assert!(!Arc::ptr_eq(&one.store, &other.store));
    let [first, second] = dumps;
    assert!(
        first.values().map(Vec::len).sum::<usize>() > 100_000,
        "there is something to compare"
    );
    for (place, bytes) in first {
        let (name, family) = place;
        assert_eq!(
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&second[place]),
            "{name} in {family}"
        );
    }
    assert_eq!(first.len(), second.len());
}

/// Reads until told to stop; answers how often. Any failed read fails the test. The pauses of readers and writers here keep
/// the load the same on a slow machine, which would otherwise be given more to rebuild the longer it takes.
fn reader(reads: Reads, organization: OrganizationId, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<u64> {
    tokio::spawn(async move {
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) {
            let (filter, page) = (TransferFilter::default(), PageRequest::first(50));
            let list = reads
                .transfers(organization, &filter, TransferSort::Newest, &page)
                .await;
            let list = list.expect("a read goes on");
            assert!(!list.items.is_empty(), "a switch never shows an empty view");
            let totals = reads.totals(organization).await.expect("a read goes on");
            assert!(!totals.transfers.is_empty());
            count += 2;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        count
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_beside_live_traffic_should_equal_the_other_store() {
    let (log, dir) = log();
    let mut history = History::new(vaultstream_domain::ports::EventLog::registry(log.as_ref()), 78);
    history.live(log.as_ref(), 600).await;
    let scylla: ScyllaViews = open(&options(stored()).await).await;
    let cluster = Node::start(log.clone(), Arc::new(scylla), busy());
    cluster.caught_up().await;
    let stop = Arc::new(AtomicBool::new(false));
    let reading = reader(cluster.reads.clone(), history.organizations[0], stop.clone());
    let writing = tokio::spawn({
        let (log, stop) = (log.clone(), stop.clone());
        async move {
            let mut batches = 0;
            while !stop.load(Ordering::SeqCst) {
                history.live(log.as_ref(), 10).await;
                batches += 1;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            batches
        }
    });
    let never = CancellationToken::new();
    let chain = Family::Chain(slug(0));
    for (name, family) in [
        (ViewName::Transfers, &chain),
        (ViewName::Balances, &chain),
        (ViewName::Feed, &chain),
        (ViewName::Lookup, &chain),
        (ViewName::Vaults, &Family::Core),
    ] {
        let rebuilt = cluster.projector.rebuild(name, family, "a test", &never).await;
        let rebuilt = rebuilt.expect("rebuilt");
        assert_eq!(rebuilt.same, Some(true), "{name} in {family}");
    }
    stop.store(true, Ordering::SeqCst);
    let (reads, batches) = (
        reading.await.expect("no read failed"),
        writing.await.expect("no write failed"),
    );
    assert!(
        reads > 10 && batches > 10,
        "{reads} reads, {batches} batches: something went on meanwhile"
    );
    let sqlite = SqliteViews::open(&ViewOptions::new(dir.path(), stored())).expect("opens");
    let embedded = Node::start(log.clone(), Arc::new(sqlite), ProjectorOptions::default());
    embedded.caught_up().await;
    cluster.caught_up().await;
    let (one, other) = (embedded.dumps().await, cluster.dumps().await);
    assert_same(&embedded, &cluster, [&one, &other]);
    embedded.stop();
    cluster.stop();
}
