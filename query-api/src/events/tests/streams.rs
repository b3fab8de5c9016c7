//! Streams: history and what follows, resumed after a cut; bounded, and ended with their credential and the process.

mod ends;
mod listener;

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::{READS, of, place, sorted};
use crate::rest::tests::Rest;
use listener::Listener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_should_go_on_behind_its_last_event_after_every_cut() {
    let rest = Rest::start().await;
    let (me, you) = (rest.world.tenant(READS).await, rest.world.tenant(READS).await);
    let (mine, yours) = (
        rest.world.vault(&me, "Mine").await,
        rest.world.vault(&you, "Yours").await,
    );
    let writing = async {
        for height in 2..150 {
            rest.world.balance(&me, mine, height.into(), height).await;
            rest.world.balance(&you, yours, height.into(), height).await;
        }
    };
    let listening = async {
        let mut seen: Vec<Value> = Vec::new();
        let mut last: Option<String> = None;
        // cut after a few events each time, in the middle of history and of what is live
        while seen.len() < 130 {
            let mut listener = Listener::open(&rest, &me, "/v1/events", last.as_deref()).await;
            seen.extend(listener.take(11).await);
            last = listener.last;
        }
        seen
    };
    let ((), seen) = tokio::join!(writing, listening);
    let truth = of(&rest.truth().await, &me);
    let mut ends = std::collections::HashMap::new();
    for event in &seen {
        let (shard, position) = place(event);
        assert!(
            ends.insert(shard, position).unwrap_or(0) < position,
            "once and in order: {event}"
        );
    }
    let expected = truth.iter().filter(|event| {
        let (shard, position) = place(event);
        ends.get(&shard).is_some_and(|end| position <= *end)
    });
    assert_eq!(
        sorted(seen),
        expected.cloned().collect::<Vec<_>>(),
        "without a gap"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_events_should_come_soon_and_filtered() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    let held = rest.world.vault(&me, "Mine").await;
    let path = "/v1/events?from=now&type=transfer.requested";
    let mut listener = Listener::open(&rest, &me, path, None).await;
    for height in 2..20 {
        rest.world.balance(&me, held, 1, height).await;
    }
    let transfer = rest.world.transfer(&me, held).await;
    let event = timeout(Duration::from_secs(3), listener.next())
        .await
        .expect("soon")
        .expect("one");
    assert_eq!(event["subjectId"], transfer.to_string().as_str());
    // what was passed over is in the cursor
    let last = listener.last.clone();
    let mut again = Listener::open(&rest, &me, "/v1/events", last.as_deref()).await;
    let next = rest.world.transfer(&me, held).await;
    assert_eq!(again.take(1).await[0]["subjectId"], next.to_string().as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_should_come_while_views_stand_still() {
    let (world, projector) = crate::rig::world::World::unfolded().await;
    let rest = Rest::over(world).await;
    let me = rest.world.tenant(READS).await;
    let mut listener = Listener::open(&rest, &me, "/v1/events?type=vault.created", None).await;
    rest.world.vault(&me, "Mine").await;
    assert_eq!(listener.take(1).await[0]["data"]["name"], "Mine");
    drop(projector);
}
