//! An event of an older version that means several today: the feed shows all of it, and no page loses a part.

use std::collections::BTreeSet;

use serde_json::json;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{Flush, RowWrite};
use vaultstream_event_schemas::Hlc;
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::token::Positions;
use vaultstream_projectors::ViewName;
use vaultstream_projectors::read::{FeedQuery, PageRequest, positions_of};
use vaultstream_projectors::rows::{FeedRow, Meaning};
use vaultstream_projectors::tables::{self, key, n, t};

use crate::reads::node;
use crate::setup::Node;

/// Gives an event of the feed a second meaning, as an upcaster would have.
async fn split(node: &Node, event: &PublicEvent) {
    let mut row = FeedRow::of(vec![event.clone()]).expect("one form");
    row.also.push(Meaning {
        data: json!({ "second": true }),
        r#type: "test.second".to_owned(),
    });
    let family = node.registry.entry(event.shard).expect("a shard").family.clone();
    let generation = node.generations.current(ViewName::Feed, &family);
    let partition = [t(event.organization_id), n(event.shard.0.into())];
    let write = RowWrite {
        key: key(&tables::FEED, partition, [n(event.position)]),
        value: serde_json::to_vec(&row).expect("JSON"),
        hlc: Hlc(event.hlc.0 + 1),
    };
    let flush = Flush {
        rows: vec![write],
        ..Flush::default()
    };
    let at = ViewName::Feed.at(family, generation);
    node.store.flush(&at, flush).await.expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feed_should_show_every_meaning_of_an_event_on_every_way_through() {
    let (mut node, history) = node(63, 200).await;
    let organization = history.organizations[0];
    let first = PageRequest::first(50);
    let page = node.reads.feed(organization, &FeedQuery::default(), &first).await;
    let split_event = page
        .expect("readable")
        .rows()
        .nth(3)
        .expect("some events")
        .clone();
    split(&node, &split_event).await;
    let name = |e: &PublicEvent| (e.id.to_string(), e.event_type.clone());
    let wanted = [
        name(&split_event),
        (split_event.id.to_string(), "test.second".to_owned()),
    ];

    let (mut newest_first, mut request) = (Vec::new(), PageRequest::first(3));
    loop {
        let page = node
            .reads
            .feed(organization, &FeedQuery::default(), &request)
            .await
            .expect("readable");
        newest_first.extend(page.rows().map(name));
        match page.next {
            Some(next) => request = PageRequest::after(next, 3),
            None => break,
        }
    }
    let at = newest_first
        .iter()
        .position(|e| *e == wanted[1])
        .expect("the second meaning");
    assert_eq!(
        newest_first[at + 1],
        wanted[0],
        "newest first, so the second leads"
    );
    let distinct: BTreeSet<_> = newest_first.iter().collect();
    assert_eq!(distinct.len(), newest_first.len(), "pages repeat nothing");

    // Begun again behind every single event, nothing is lost, though a part of the split event may come twice.
    let (mut oldest_first, mut after) = (Vec::new(), Positions::default());
    loop {
        let page = node
            .reads
            .feed_after(organization, &FeedQuery::default(), &after, 1)
            .await
            .expect("readable");
        let Some(last) = page.items.last() else { break };
        after = positions_of(&last.cursor).expect("a vector");
        oldest_first.extend(page.rows().map(name));
    }
    let mut reversed = newest_first.clone();
    reversed.sort();
    oldest_first.sort();
    assert_eq!(oldest_first, reversed, "the same events on both ways");

    let only = FeedQuery {
        types: vec!["test.second".to_owned()],
        ..FeedQuery::default()
    };
    let page = node
        .reads
        .feed(organization, &only, &first)
        .await
        .expect("readable");
    assert_eq!(page.rows().map(name).collect::<Vec<_>>(), [wanted[1].clone()]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursor_inside_of_an_event_should_lose_none_of_its_meanings() {
    let (mut node, history) = node(64, 200).await;
    let organization = history.organizations[0];
    let page = node
        .reads
        .feed_after(organization, &FeedQuery::default(), &Positions::default(), 5)
        .await
        .expect("readable");
    let event = page.rows().next().expect("some events").clone();
    split(&node, &event).await;
    let page = node
        .reads
        .feed_after(organization, &FeedQuery::default(), &Positions::default(), 5)
        .await
        .expect("readable");
    let [first, second, ..] = page.items.as_slice() else {
        panic!("both meanings")
    };
    assert_eq!((first.row.id, second.row.id), (event.id, event.id));
    for (cursor, next) in [(&first.cursor, event.id), (&second.cursor, page.items[2].row.id)] {
        let after = positions_of(cursor).expect("a vector");
        let rest = node
            .reads
            .feed_after(organization, &FeedQuery::default(), &after, 5)
            .await
            .expect("readable");
        assert_eq!(rest.rows().next().map(|e| e.id), Some(next));
    }
    node.stop().await;
}
