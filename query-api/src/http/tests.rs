//! `POST /graphql` over a real log and real views.

mod door;
mod hostile;
mod pages;
mod strangers;
mod whole;

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1::{Approved, Screened};
use vaultstream_event_schemas::{ErrorCode, ShardNumber};

use crate::observer::Fact;
use crate::rig::world::{ETHER, World, code};

const VAULTS: &str = "query($first: Int!, $after: String, $filter: VaultFilter, $sort: VaultSort! = newest) {
    vaults(first: $first, after: $after, filter: $filter, sort: $sort) {
        nodes { id name } edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";

fn names(answer: &Value) -> Vec<&str> {
    let nodes = answer["data"]["vaults"]["nodes"].as_array();
    nodes
        .into_iter()
        .flatten()
        .filter_map(|n| n["name"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_least_should_wait_and_then_say_how_far_behind() {
    let world = World::start().await;
    let me = world.reader().await;
    world.settled().await;
    let heads = world.services.log.heads().await.expect("heads");
    let incarnation = heads[&ShardNumber(0)].incarnation;
    let ahead = Place {
        incarnation,
        position: heads[&ShardNumber(0)].position + 1,
    };
    let token = world
        .services
        .mac
        .seal_token(&Positions::one(ShardNumber(0), ahead));
    let query = "query($t: String) { vaults(first: 1, atLeast: $t) { nodes { name } } }";
    let started = Instant::now();
    let answer = world.ask(&me, query, json!({ "t": token })).await;
    assert_eq!(code(&answer), "read-model-behind", "{answer}");
    assert!(started.elapsed() >= Duration::from_millis(1_900) && started.elapsed() < Duration::from_secs(4));
    let (asking, _) = tokio::join!(world.ask(&me, query, json!({ "t": token })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.vault(&me, "Late").await
    });
    assert_eq!(
        asking["data"]["vaults"]["nodes"][0]["name"], "Late",
        "the write is read: {asking}"
    );
    let forged = world.ask(&me, query, json!({ "t": "AAAA" })).await;
    assert_eq!(
        (code(&forged), &forged["errors"][0]["extensions"]["field"]),
        ("token-invalid", &json!("atLeast"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schema_should_be_shown_to_keys_only() {
    let world = World::start().await;
    let me = world.reader().await;
    let query =
        "{ __schema { queryType { name } types { fields { type { ofType { ofType { name } } } } } } }";
    let answer = world.ask(&me, query, json!({})).await;
    assert_eq!(answer["data"]["__schema"]["queryType"]["name"], "Query");
    let body = json!({ "query": query }).to_string();
    let page = Request::post("/graphql")
        .header("host", "127.0.0.1")
        .header("cookie", &me.cookie)
        .header(vaultstream_client::BROWSER_HEADER, "1")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .body(Body::from(body))
        .expect("a request");
    let (status, answer) = world.send(page).await;
    assert_eq!(
        (status, code(&answer)),
        (StatusCode::BAD_REQUEST, "query-invalid")
    );
}
