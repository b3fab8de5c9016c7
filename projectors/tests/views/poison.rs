//! Events that cannot be folded: their stream waits, everything else goes on, and nothing is lost once they can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::payload::Encoded;
use vaultstream_event_schemas::{EventRef, StreamKind};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_projectors::ViewName;
use vaultstream_projectors::cache::{FoldError, RowCache};
use vaultstream_projectors::dump::digest;
use vaultstream_projectors::lane::Lane;
use vaultstream_projectors::read::PageRequest;
use vaultstream_projectors::view::{Seen, View};
use vaultstream_projectors::views::view;

use crate::history::History;
use crate::setup::{Node, decoded};

/// A view that chokes on one event until it is mended.
struct Choking {
    inner: Arc<dyn View>,
    on: EventRef,
    panics: bool,
    mended: Arc<AtomicBool>,
}

impl View for Choking {
    fn name(&self) -> ViewName {
        self.inner.name()
    }
    fn version(&self) -> u32 {
        self.inner.version()
    }
    fn tables(&self) -> &'static [Table] {
        self.inner.tables()
    }
    fn wants(&self, kind: StreamKind) -> bool {
        self.inner.wants(kind)
    }
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey> {
        self.inner.needs(seen)
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        if seen.stored.envelope.event_ref() == self.on && !self.mended.load(Ordering::SeqCst) {
            assert!(!self.panics, "chokes");
            return Err(FoldError::NoBeginning);
        }
        self.inner.fold(seen, rows)
    }
}

async fn park_and_mend(node: &Node, name: ViewName, panics: bool, seed: u64) {
    let family = name.families(&node.registry).pop().expect("it has a store");
    let shard = node.registry.shards_of(&family).next().expect("it has a shard");
    let (clean, at) = (name.at(family.clone(), 1), name.at(family, 2));
    let expected = node.reference(&view(name), &clean).await;
    node.create(&at, view(name).as_ref()).await;
    let events = node.events(shard).await;
    let wanted = |e: &&vaultstream_event_schemas::StoredEvent| {
        let says_something = name != ViewName::Lookup || e.envelope.event_type == "account.labelled";
        view(name).wants(e.envelope.stream.kind)
            && says_something
            && e.position * 4 > events.last().map_or(0, |l| l.position)
    };
    let bad = events
        .iter()
        .find(wanted)
        .expect("an event in the middle")
        .envelope
        .event_ref();
    let mended = Arc::new(AtomicBool::new(false));
    let choking: Arc<dyn View> = Arc::new(Choking {
        inner: view(name),
        on: bad,
        panics,
        mended: mended.clone(),
    });
    for other in node.registry.shards_of(&at.family) {
        let mut lane = Lane::open(node.lane(&choking, &at, other), 1)
            .await
            .expect("opens");
        let events = node.events(other).await;
        for batch in events.chunks(97) {
            lane.apply(&decoded(batch.to_vec())).await.expect("goes on");
            lane.flush().await.expect("writes");
        }
        assert_eq!(
            lane.place().position,
            events.last().map_or(0, |e| e.position),
            "the shard goes on"
        );
    }
    let mark = node.watermarks.mark(&at, shard).expect("known");
    assert_eq!(mark.quarantined, 1, "complete except one stream");
    let found = digest(node.store.as_ref(), choking.as_ref(), &at)
        .await
        .expect("readable");
    assert_ne!(found, expected, "something is missing");
    drop(
        Lane::open(node.lane(&choking, &at, shard), 1)
            .await
            .expect("still parked"),
    );
    assert_eq!(node.watermarks.mark(&at, shard).expect("known").quarantined, 1);
    mended.store(true, Ordering::SeqCst);
    let lane = Lane::open(node.lane(&choking, &at, shard), 1)
        .await
        .expect("retried");
    drop(lane);
    assert_eq!(node.watermarks.mark(&at, shard).expect("known").quarantined, 0);
    let found = digest(node.store.as_ref(), choking.as_ref(), &at)
        .await
        .expect("readable");
    assert_eq!(found, expected, "seed {seed}, view {name}: nothing was lost");
    let again = Lane::open(node.lane(&choking, &at, shard), 1)
        .await
        .expect("opens");
    drop(again);
    let found = digest(node.store.as_ref(), choking.as_ref(), &at)
        .await
        .expect("readable");
    assert_eq!(found, expected, "and nothing is folded twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_streams_should_be_folded_late_as_if_nothing_had_been() {
    for (seed, panics) in [(1, false), (2, true), (3, false)] {
        let node = Node::new();
        let mut history = History::new(node.registry.clone(), seed);
        history.live(node.log.as_ref(), 1_200).await;
        for name in [
            ViewName::Transfers,
            ViewName::Balances,
            ViewName::Vaults,
            ViewName::Lookup,
        ] {
            park_and_mend(&node, name, panics, seed).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_from_the_future_should_park_their_stream_only() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 4);
    history.live(node.log.as_ref(), 200).await;
    let account = history.accounts[0];
    let id = history.transfer(account);
    let place = (account.organization, Owner::Vault(account.vault));
    let future = Encoded {
        event_type: "transfer.screened",
        version: 99,
        payload: br#"{"new":true}"#.to_vec(),
    };
    history.add_encoded(id.stream(), place, vec![future.clone(), future]);
    history.live(node.log.as_ref(), 300).await;
    node.start();
    node.caught_up().await;
    let parked = node
        .reads
        .quarantined(ViewName::Transfers)
        .await
        .expect("readable");
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].event.stream, parked[0].event.sequence),
        (id.stream(), 2)
    );
    assert_eq!(parked[0].version, 99);
    assert!(parked[0].parked >= 2, "all that follows is parked with it");
    assert!(parked[0].reason.contains("version 99"), "{}", parked[0].reason);
    let row = node
        .reads
        .transfer(account.organization, id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(
        row.row.status.as_str(),
        "requested",
        "as it was before the event nobody understands"
    );
    let (filter, page) = (Default::default(), PageRequest::first(200));
    let others = node
        .reads
        .transfers(account.organization, &filter, Default::default(), &page);
    let moved = others
        .await
        .expect("readable")
        .rows()
        .filter(|t| t.row.version > 1)
        .count();
    assert!(moved > 5, "the others go on");
    let heads = node.log.heads().await.expect("readable");
    let lags = node
        .reads
        .lag(node.log.as_ref(), &heads, SystemClock.now())
        .await
        .expect("readable");
    assert!(
        lags.iter().all(|lag| lag.lag_us == 0 && lag.position == lag.head),
        "{lags:?}"
    );
    let quarantined: usize = lags
        .iter()
        .filter(|lag| lag.view == ViewName::Transfers)
        .map(|l| l.quarantined)
        .sum();
    assert_eq!(quarantined, 1, "the lag says what the watermark leaves out");
    node.stop().await;
}
