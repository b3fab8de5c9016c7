//! How streams end: at a moment, with their credential, with the process; and how many one tenant may have.

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;

use super::listener::{Listener, SOON};
use crate::events::MAX_STREAMS_EACH;
use crate::events::tests::{READS, of, sorted};
use crate::rest::tests::Rest;
use crate::rig::world::{NOTICE, SPREAD};

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
