//! Pages: every event once, in order, beside live writes; one shape in every form.

use serde_json::Value;
use vaultstream_client::Event;
use vaultstream_event_schemas::public_event::PublicEvent;

use super::{READS, of, place, sorted};
use crate::hub::open_cursor;
use crate::rest::tests::Rest;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_should_hold_every_event_once_beside_live_writes() {
    let rest = Rest::start().await;
    let (me, you) = (rest.world.tenant(READS).await, rest.world.tenant(READS).await);
    let (mine, yours) = (
        rest.world.vault(&me, "Mine").await,
        rest.world.vault(&you, "Yours").await,
    );
    let writing = async {
        for height in 0..120 {
            rest.world.balance(&me, mine, height.into(), height).await;
            rest.world.balance(&you, yours, height.into(), height).await;
            if height % 10 == 0 {
                rest.world.transfer(&me, mine).await;
            }
        }
    };
    let reading = async {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        // until a page says that it ended after everything was written
        while seen.len() < 130 {
            let filters = if cursor.is_empty() {
                String::new()
            } else {
                format!("&cursor={cursor}")
            };
            let (items, at) = rest.all(&me, &filters, 7).await;
            seen.extend(items);
            cursor = at;
            tokio::task::yield_now().await;
        }
        seen.extend(rest.all(&me, &format!("&cursor={cursor}"), 7).await.0);
        seen
    };
    let ((), seen) = tokio::join!(writing, reading);
    let truth = of(&rest.truth().await, &me);
    let (whole, cursor) = rest.all(&me, "", 200).await;
    assert_eq!(
        sorted(whole.clone()),
        truth,
        "nothing is left out and nothing is foreign"
    );
    assert!(seen.len() <= truth.len());
    let mut last = std::collections::HashMap::new();
    for event in &seen {
        let (shard, position) = place(event);
        let before = last.insert(shard, position).unwrap_or(0);
        assert!(before < position, "in order and once: {event}");
    }
    let known: Vec<_> = sorted(seen.clone());
    let expected = truth.iter().filter(|event| {
        let (shard, position) = place(event);
        last.get(&shard).is_some_and(|last| position <= *last)
    });
    assert_eq!(known, expected.cloned().collect::<Vec<_>>(), "without a gap");
    // what was there when it was read comes in the order of the clocks
    let clocks: Vec<_> = whole.iter().map(|event| event["hlc"].as_u64()).collect();
    assert!(clocks.is_sorted());
    let places = open_cursor(&rest.world.services.mac, &cursor).expect("a cursor of subscriptions");
    assert_eq!(places.0.len(), 4, "it names every shard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_should_show_the_same_events() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    let held = rest.world.vault(&me, "Mine").await;
    rest.world.transfer(&me, held).await;
    let (items, cursor) = rest.all(&me, "", 200).await;
    for (accept, media) in [
        ("application/jsonl", "application/jsonl"),
        ("application/x-ndjson", "application/x-ndjson"),
    ] {
        let (status, headers, body) = rest.text(&me, "/v1/events", &[("accept", accept)]).await;
        assert_eq!(
            (status.as_u16(), headers["content-type"].to_str().ok()),
            (200, Some(media))
        );
        let lines: Vec<Value> = body
            .lines()
            .map(|l| serde_json::from_str(l).expect("JSON"))
            .collect();
        assert_eq!(lines, items);
        assert_eq!(headers["vaultstream-cursor"].to_str().ok(), Some(cursor.as_str()));
        assert!(!headers.contains_key("vaultstream-next-cursor"), "it is the end");
    }
    let (_, headers, body) = rest
        .text(&me, "/v1/events?limit=2", &[("accept", "application/jsonl")])
        .await;
    assert_eq!(body.lines().count(), 2);
    assert_eq!(headers["vaultstream-cursor"], headers["vaultstream-next-cursor"]);
    for item in &items {
        let public: PublicEvent = serde_json::from_value(item.clone()).expect("the shape of the topics");
        let shown = serde_json::to_value(Event::from(public.clone())).expect("JSON");
        assert_eq!(
            shown,
            serde_json::to_value(public).expect("JSON"),
            "one shape everywhere"
        );
        assert_eq!(&shown, item);
    }
}
