//! Streams: history and what follows, resumed after a cut; bounded, and ended with their credential and the process.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;
use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use super::{READS, of, place, sorted};
use crate::events::MAX_STREAMS_EACH;
use crate::rest::tests::Rest;
use crate::rig::world::{NOTICE, SPREAD, Tenant};

const SOON: Duration = Duration::from_secs(20);

/// A client of one stream.
struct Listener {
    body: BodyDataStream,
    text: String,
    last: Option<String>,
}

impl Listener {
    async fn open(rest: &Rest, tenant: &Tenant, path: &str, last: Option<&str>) -> Self {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last.map(|last| ("last-event-id", last)));
        let response = rest.send(tenant, path, &headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
            last: last.map(str::to_owned),
        }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let frame: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    frame
                        .lines()
                        .find_map(|l| l.strip_prefix(&prefix))
                        .map(str::to_owned)
                };
                if let Some(id) = field("id") {
                    self.last = Some(id);
                }
                if let Some(data) = field("data") {
                    assert_eq!(field("event"), None, "{frame}");
                    return Some(serde_json::from_str(&data).expect("JSON"));
                }
            }
            let chunk = timeout(SOON, self.body.next()).await.expect("in time")?;
            self.text += std::str::from_utf8(&chunk.expect("a body")).expect("text");
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await.expect("one more"));
        }
        events
    }

    /// Whether it ends within a while.
    async fn ends(&mut self, within: Duration) -> bool {
        timeout(within, async { while self.next().await.is_some() {} })
            .await
            .is_ok()
    }
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_until_a_moment_should_end_there_and_not_begin_again() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    rest.world.vault(&me, "Mine").await;
    let until = rest.world.services.clock.now().plus_seconds(1);
    while rest.world.services.clock.now() <= until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let expected = of(&rest.truth().await, &me);
    rest.world.vault(&me, "Later").await;
    let path = format!("/v1/events?until={until}");
    let mut listener = Listener::open(&rest, &me, &path, None).await;
    let events = listener.take(expected.len()).await;
    assert_eq!(sorted(events), expected);
    assert!(listener.ends(SOON).await);
    let last = listener.last.expect("a place");
    let headers = [("accept", "text/event-stream"), ("last-event-id", last.as_str())];
    let again = rest.send(&me, &path, &headers).await;
    assert_eq!(
        again.status(),
        StatusCode::NO_CONTENT,
        "a browser does not come back after this"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_should_be_few_and_end_with_their_credential() {
    let rest = Rest::start().await;
    let (me, you) = (rest.world.tenant(READS).await, rest.world.tenant(READS).await);
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS_EACH {
        open.push(Listener::open(&rest, &me, "/v1/events?from=now", None).await);
    }
    let accept = [("accept", "text/event-stream")];
    let (status, _, body) = rest.text(&me, "/v1/events", &accept).await;
    assert!(
        status == StatusCode::TOO_MANY_REQUESTS && body.contains("rate-limited"),
        "{body}"
    );
    let mut other = Listener::open(&rest, &you, "/v1/events", None).await;
    rest.world.revoke(&me).await;
    for listener in &mut open {
        assert!(
            listener.ends(Duration::from_secs(3)).await,
            "within a second, and some for the machine"
        );
    }
    assert!(other.next().await.is_some(), "others go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_should_be_let_go_when_the_process_drains() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    let mut listener = Listener::open(&rest, &me, "/v1/events?from=now", None).await;
    rest.world.drain.send(true).expect("is heard");
    let (status, _, body) = rest
        .text(&me, "/v1/events", &[("accept", "text/event-stream")])
        .await;
    assert!(
        status == StatusCode::SERVICE_UNAVAILABLE && body.contains("restarting"),
        "{body}"
    );
    assert!(listener.ends(NOTICE + SPREAD + Duration::from_secs(5)).await);
    let ended = timeout(SOON, rest.world.services.drain.ended()).await;
    assert!(ended.is_ok(), "nothing is held back");
}
