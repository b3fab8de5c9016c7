//! The past of a stream is the row its view had then: random lives, looked at in between, folded again to each place.

use std::collections::BTreeMap;

use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::{ShardNumber, StreamId, StreamKind};
use vaultstream_projectors::past::{PastError, StreamPast};

use crate::history::History;
use crate::setup::Node;

/// A row as text; the same rows are the same text.
fn text(row: &impl serde::Serialize) -> String {
    serde_json::to_string(row).expect("a row has a JSON form")
}

/// What the views say of every thing now.
async fn seen(node: &Node, history: &History) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for (id, organization) in &history.vaults {
        let rows = node
            .reads
            .vaults_by_id(*organization, &[*id])
            .await
            .expect("readable");
        seen.extend(rows.into_iter().flatten().map(|row| (id.to_string(), text(&row))));
    }
    for account in &history.accounts {
        let (organization, id) = (account.organization, account.id);
        let row = node.reads.account(organization, id).await.expect("readable");
        let mut held = node
            .reads
            .balances_of_vault(organization, account.vault)
            .await
            .expect("readable");
        held.retain(|balance| balance.account_id == id);
        seen.extend(row.map(|row| (id.to_string(), text(&(row, held)))));
    }
    for (id, organization) in &history.transfers {
        let found = node.reads.transfer(*organization, *id).await.expect("readable");
        seen.extend(found.map(|found| (id.to_string(), text(&found.row))));
    }
    for (id, organization) in &history.executions {
        let row = node.reads.execution(*organization, *id).await.expect("readable");
        seen.extend(row.map(|row| (id.to_string(), text(&row))));
    }
    seen
}

/// What the log says of the same things at a place.
async fn folded(
    node: &Node,
    things: impl Iterator<Item = &String>,
    places: &BTreeMap<ShardNumber, u64>,
) -> BTreeMap<String, String> {
    let mut folded = BTreeMap::new();
    for thing in things {
        let stream: StreamId = thing.parse().expect("an id");
        let mut past = StreamPast::of(stream).expect("a kind that has rows");
        for event in node.log.read_stream(stream, 0, 10_000).await.expect("readable") {
            if event.position <= places[&stream.shard()] {
                past.add(&event).expect("foldable");
            }
        }
        let row = match stream.kind {
            StreamKind::Vault => past.vault().map(|row| text(&row)),
            StreamKind::Account => past.account().map(|row| text(&row)),
            StreamKind::Transfer => past.transfer().map(|row| text(&row)),
            _ => past.execution().map(|row| text(&row)),
        };
        folded.extend(row.map(|row| (thing.clone(), row)));
    }
    folded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_should_be_the_row_of_then() {
    for seed in [3, 4_711] {
        let mut node = Node::new();
        let mut history = History::new(node.registry.clone(), seed);
        node.start();
        let mut noted = Vec::new();
        for _ in 0..6 {
            history.live(node.log.as_ref(), 60).await;
            node.caught_up().await;
            let heads = node.log.heads().await.expect("heads");
            let places: BTreeMap<_, _> = heads
                .iter()
                .map(|(shard, head)| (*shard, head.position))
                .collect();
            noted.push((places, seen(&node, &history).await));
        }
        let (_, last) = noted.last().expect("noted");
        assert!(last.len() > 20, "seed {seed} tells too little: {}", last.len());
        for (n, (places, then)) in noted.iter().enumerate() {
            let now = folded(&node, last.keys(), places).await;
            assert_eq!(&now, then, "seed {seed}, look {n}");
        }
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_do_not_follow_should_be_refused() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 5);
    history.live(node.log.as_ref(), 60).await;
    let (id, _) = history.transfers[0];
    let (other, _) = history.transfers[1];
    let events = node.log.read_stream(id.stream(), 0, 10).await.expect("readable");
    let mut past = StreamPast::of(id.stream()).expect("has rows");
    past.add(&events[0]).expect("the first");
    assert!(matches!(past.add(&events[0]), Err(PastError::Broken(_))), "twice");
    let mut past = StreamPast::of(other.stream()).expect("has rows");
    assert!(
        matches!(past.add(&events[0]), Err(PastError::Broken(_))),
        "another's"
    );
    assert_eq!(
        (past.version(), past.organization(), past.transfer()),
        (0, None, None)
    );
    node.stop().await;
}
