//! How late views are, seen by the process that keeps them and by one that only reads them, also when nobody folds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::payload::Encoded;
use vaultstream_event_schemas::{ShardNumber, Timestamp};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_projectors::read::ViewLag;
use vaultstream_projectors::{FollowViews, Reads, ReadsParts, ViewName, Watermarks};

use crate::history::{History, chain};
use crate::setup::{Node, slug};

/// Views as another process sees them: it shares the log and the store, and nothing in memory.
fn elsewhere(node: &Node, stop: &CancellationToken) -> Reads {
    let (generations, watermarks) = (Arc::default(), Arc::new(Watermarks::default()));
    let follow = FollowViews {
        store: node.store.clone(),
        log: node.log.clone(),
        clock: Arc::new(SystemClock),
        registry: node.registry.clone(),
        generations: Arc::clone(&generations),
        watermarks: watermarks.clone(),
    };
    follow.start(&TokioSpawn::new(Handle::current()), stop);
    Reads::new(ReadsParts {
        store: node.store.clone(),
        clock: Arc::new(SystemClock),
        registry: node.registry.clone(),
        chains: (0..2).map(|n| (chain(n), slug(n))).collect(),
        generations,
        watermarks,
    })
}

async fn heads(node: &Node) -> BTreeMap<ShardNumber, Head> {
    node.log.heads().await.expect("readable")
}

/// The lags, at a time so much after the newest event of all.
async fn lags(node: &Node, reads: &Reads, after: Duration) -> Vec<ViewLag> {
    let heads = heads(node).await;
    let newest = heads.values().map(|head| head.hlc.0).max().expect("shards");
    let now = newest + u64::try_from(after.as_micros()).expect("short");
    let now = Timestamp::from_micros(i64::try_from(now).expect("this century"));
    reads.lag(node.log.as_ref(), &heads, now).await.expect("measured")
}

fn worst_s(lags: &[ViewLag]) -> u64 {
    lags.iter().map(|lag| lag.lag_us).max().expect("views") / 1_000_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_should_be_the_age_of_what_waits_whoever_measures_it() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 5);
    history.live(node.log.as_ref(), 300).await;
    node.start();
    node.caught_up().await;
    node.stop().await;
    let (stop, hour) = (CancellationToken::new(), Duration::from_secs(3_600));
    let other = elsewhere(&node, &stop);
    other
        .wait(&ViewName::ALL, &node.positions().await, 10_000)
        .await
        .expect("seen from elsewhere");
    for reads in [&node.reads, &other] {
        let quiet = lags(&node, reads, hour).await;
        assert_eq!(worst_s(&quiet), 0, "an idle hour is no lag: {quiet:?}");
        assert!(quiet.iter().all(|lag| lag.position == lag.head));
    }
    // Nobody folds any more; what comes now waits, and only from when it came.
    history.rest_us(i64::try_from(hour.as_micros()).expect("short"));
    history.live(node.log.as_ref(), 5).await;
    for reads in [&node.reads, &other] {
        let fresh = lags(&node, reads, Duration::from_millis(500)).await;
        assert!(
            worst_s(&fresh) < 60,
            "the first after an idle hour is new: {fresh:?}"
        );
        let behind = fresh.iter().filter(|lag| lag.lag_us > 0).count();
        assert!(behind > 0, "{fresh:?}");
        assert!(
            fresh
                .iter()
                .all(|lag| (lag.lag_us > 0) == (lag.position < lag.head))
        );
        let late = lags(&node, reads, hour).await;
        assert_eq!(
            worst_s(&late) / 3_600,
            1,
            "it grows old although the log rests: {late:?}"
        );
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quarantine_should_be_seen_by_processes_that_only_read() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 6);
    history.live(node.log.as_ref(), 100).await;
    let account = history.accounts[0];
    let id = history.transfer(account);
    let future = Encoded {
        event_type: "transfer.screened",
        version: 99,
        payload: br#"{"new":true}"#.to_vec(),
    };
    let place = (account.organization, Owner::Vault(account.vault));
    history.add_encoded(id.stream(), place, vec![future]);
    history.append(node.log.as_ref()).await;
    node.start();
    node.caught_up().await;
    let stop = CancellationToken::new();
    let other = elsewhere(&node, &stop);
    let counted = async {
        loop {
            let heads = heads(&node).await;
            let lags = other.lag(node.log.as_ref(), &heads, SystemClock.now()).await;
            let of_transfers = lags
                .expect("measured")
                .into_iter()
                .filter(|lag| lag.view == ViewName::Transfers);
            if of_transfers.map(|lag| lag.quarantined).sum::<usize>() == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), counted)
        .await
        .expect("one stream is parked");
    stop.cancel();
    node.stop().await;
}
