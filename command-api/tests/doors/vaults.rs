//! Vaults and accounts that are made.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use vaultstream_event_schemas::token::MacKey;

use crate::world::{CHAIN, World};

#[tokio::test(flavor = "multi_thread")]
async fn vault_should_be_answered_with_opening_accounts_and_a_token() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let answer = world
        .post(
            &tenant,
            "/v1/vaults",
            &json!({ "name": "Cold", "tier": "cold", "chains": [CHAIN] }),
        )
        .await;
    let body = answer.json();
    assert_eq!(answer.status, StatusCode::CREATED, "{body}");
    assert_eq!(
        (
            body["name"].as_str(),
            body["tier"].as_str(),
            body["status"].as_str()
        ),
        (Some("Cold"), Some("cold"), Some("active"))
    );
    let account = &body["accounts"][0];
    assert_eq!(
        (account["chain"].as_str(), account["status"].as_str()),
        (Some(CHAIN), Some("opening"))
    );
    assert!(
        account["address"].is_null() && account.get("address").is_some(),
        "null until it is open: {account}"
    );
    let id = body["id"].as_str().expect("an id");
    assert_eq!(
        answer.header("location"),
        Some(format!("/v1/vaults/{id}").as_str())
    );
    let token = answer.header("vaultstream-token").expect("a token");
    let positions = MacKey::new([7; 32]).open_token(token).expect("ours");
    assert_eq!(positions.0.len(), 2, "the vault's shard and the account's");
}

#[tokio::test(flavor = "multi_thread")]
async fn preferred_wait_should_hold_until_accounts_are_open() {
    let world = Arc::new(World::start().await);
    let tenant = world.tenant("Acme").await;
    let created = world
        .post(&tenant, "/v1/vaults", &json!({ "name": "A" }))
        .await
        .json();
    let vault = created["id"].as_str().expect("an id").to_owned();
    let waiting = {
        let (world, tenant, path) = (
            Arc::clone(&world),
            tenant.clone(),
            format!("/v1/vaults/{vault}/accounts"),
        );
        let headers = [("prefer", "wait=20"), ("idempotency-key", "a")];
        tokio::spawn(async move {
            world
                .post_with(&tenant, &path, &headers, &json!({ "chain": CHAIN }))
                .await
        })
    };
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "it holds while the account opens");
    let path = format!("/v1/vaults/{vault}/accounts");
    let seen = world
        .post_with(
            &tenant,
            &path,
            &[("idempotency-key", "a")],
            &json!({ "chain": CHAIN }),
        )
        .await;
    assert_eq!(seen.header("idempotency-replayed"), Some("true"));
    let account = seen.json()["id"]
        .as_str()
        .and_then(|t| t.parse().ok())
        .expect("an id");
    world
        .open(&tenant, account, vault.parse().expect("a vault"))
        .await;
    let opened = waiting.await.expect("no panic").json();
    assert_eq!(
        (opened["status"].as_str(), opened["id"].as_str()),
        (Some("open"), Some(account.to_string().as_str()))
    );
    assert!(opened["address"].as_str().is_some_and(|a| a.starts_with("0x")));
}
