//! What clients insist on and what they prefer, over the whole table: `If-Match` and `Prefer: wait`.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_gateway::operation::{IfMatch, Room, Verb};
use vaultstream_gateway::operations;

use crate::world::{CHAIN, World};

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_takes_if_match_should_refuse_a_stale_one() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let spare = world.key(&tenant, &["vaults:read"]).await;
    let before = world.heads().await;
    let taking = operations::ALL
        .iter()
        .filter(|o| o.room == Room::Commands && o.if_match == IfMatch::Optional);
    let mut seen = 0;
    for operation in taking {
        let id = match operation.tag() {
            "organizations" => tenant.organization.to_string(),
            "vaults" => held.vault.to_string(),
            "accounts" => held.account.to_string(),
            "api-keys" => spare.key.to_string(),
            other => panic!("{}: a stale {other} is to be made here", operation.id),
        };
        let body = match operation.body {
            Some("ChangeOrganization" | "ChangeVault") => json!({ "name": "Renamed" }),
            Some("ChangeAccount") => json!({ "label": "Renamed" }),
            _ => json!({}),
        };
        let asking = match operation.id {
            "suspendOrganization" | "reactivateOrganization" => &world.platform,
            _ => &tenant,
        };
        let (method, body) = match operation.verb {
            Verb::Patch => (Method::PATCH, body.to_string().into_bytes()),
            Verb::Delete => (Method::DELETE, Vec::new()),
            _ => (Method::POST, body.to_string().into_bytes()),
        };
        let path = operation.path.replace("{id}", &id);
        let bearer = asking.bearer();
        let headers = [("authorization", bearer.as_str()), ("if-match", "\"999\"")];
        let answer = world.call(method, &path, &headers, body).await;
        assert_eq!(
            (answer.status, answer.refusal()),
            (
                StatusCode::PRECONDITION_FAILED,
                ("precondition-failed".to_owned(), "If-Match".to_owned())
            ),
            "{}",
            operation.id
        );
        seen += 1;
    }
    assert_eq!(seen, 8, "an operation more or less is to be looked at");
    assert_eq!(world.heads().await, before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn preferred_wait_should_be_granted_and_said_back() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    // Nobody opens accounts here, so a wait lasts to its end.
    let body = json!({ "name": "A", "chains": [CHAIN] });
    let begun = Instant::now();
    let plain = world.post(&tenant, "/v1/vaults", &body).await;
    assert_eq!(
        (plain.status, plain.header("preference-applied")),
        (StatusCode::CREATED, None)
    );
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let prefer = [("prefer", "return=representation, Wait = \"1\"; foo=bar")];
    let begun = Instant::now();
    let waited = world.post_with(&tenant, "/v1/vaults", &prefer, &body).await;
    assert_eq!(
        (waited.status, waited.header("preference-applied")),
        (StatusCode::CREATED, Some("wait=1"))
    );
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    let vault = waited.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/vaults/{vault}/accounts");
    let body = json!({ "chain": CHAIN });
    let added = world
        .post_with(&tenant, &path, &[("prefer", "wait=0")], &body)
        .await;
    assert_eq!(
        (added.status, added.header("preference-applied")),
        (StatusCode::CREATED, Some("wait=0"))
    );
}
