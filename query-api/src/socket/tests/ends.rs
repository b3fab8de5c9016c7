//! How sockets end: with their credential, and when the process goes.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Came, Client, EVENTS, SOON};
use crate::admission::MAX_SOCKETS;
use crate::rig::world::{NOTICE, SPREAD, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_key_should_lose_its_sockets_within_a_second_or_so() {
    let world = World::start().await;
    let (me, other) = (world.reader().await, world.reader().await);
    world.settled().await;
    let mut client = Client::open(&world, &me).await;
    let mut stays = Client::open(&world, &other).await;
    client.subscribe("a", EVENTS, json!({})).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.revoke(&me).await;
    let started = Instant::now();
    assert_eq!(client.closed().await, 4401);
    assert!(
        started.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        started.elapsed()
    );
    stays.say(json!({ "type": "ping" })).await;
    assert_eq!(stays.hear().await, Came::Said(json!({ "type": "pong" })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_should_complete_operations_and_say_come_back() {
    let world = World::start().await;
    let me = world.reader().await;
    let mut client = Client::open(&world, &me).await;
    client
        .subscribe("a", EVENTS, json!({ "types": ["transfer.completed"] }))
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.drain.send_replace(true);
    assert_eq!(
        client.hear().await,
        Came::Said(json!({ "type": "complete", "id": "a" }))
    );
    assert_eq!(client.closed().await, 1012);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_should_refuse_new_sockets_and_end_open_ones_one_after_another() {
    let world = World::start().await;
    let me = world.reader().await;
    let mut clients = Vec::new();
    for _ in 0..MAX_SOCKETS {
        clients.push(Client::open(&world, &me).await);
    }
    let begun = Instant::now();
    world.drain.send_replace(true);
    let request = format!("ws://{}/graphql/ws", world.address)
        .into_client_request()
        .expect("an address");
    match connect_async(request).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => {
            assert_eq!(refused.status().as_u16(), 503);
            assert_eq!(refused.headers()["retry-after"], "1");
        }
        other => panic!("not refused: {other:?}"),
    }
    let ends = clients.into_iter().map(|mut client| async move {
        assert_eq!(client.closed().await, 1012);
        begun.elapsed()
    });
    let ends: Vec<Duration> = futures::future::join_all(ends).await;
    let (first, last) = (ends.iter().min().expect("some"), ends.iter().max().expect("some"));
    assert!(*first >= NOTICE, "{ends:?}");
    assert!(*last - *first > SPREAD / 4, "all at once: {ends:?}");
    assert!(*last < NOTICE + SPREAD + Duration::from_secs(2), "{ends:?}");
    timeout(SOON, world.services.drain.ended())
        .await
        .expect("no socket is left");
}
