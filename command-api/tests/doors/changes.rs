//! Vaults and accounts that change: renamed, labelled, frozen.

use http::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn vault_and_account_should_change_as_they_were_read() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let bearer = tenant.bearer();
    let patch = |path: String, tag: &'static str, body: &'static str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", tag)];
        let world = &world;
        async move {
            world
                .call(Method::PATCH, &path, &headers, body.as_bytes().to_vec())
                .await
        }
    };
    let vault = format!("/v1/vaults/{}", held.vault);
    let stale = patch(vault.clone(), "\"1\"", "{\"name\":\"New\"}").await;
    assert_eq!(stale.code(), "precondition-failed");
    let renamed = patch(vault, "\"2\"", "{\"name\":\"New\"}").await;
    assert_eq!(
        (renamed.json()["name"].as_str(), renamed.header("etag")),
        (Some("New"), Some("\"3\""))
    );
    let labelled = patch(
        format!("/v1/accounts/{}", held.account),
        "*",
        "{\"label\":\"Payroll\"}",
    )
    .await;
    assert_eq!(labelled.json()["label"], "Payroll");
    assert_eq!(labelled.json()["balances"][0]["amount"]["decimals"], 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_account_should_send_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let path = format!("/v1/accounts/{}", held.account);
    let frozen = world
        .post(&tenant, &format!("{path}/freeze"), &json!({ "reason": "audit" }))
        .await;
    assert_eq!(frozen.json()["status"], "frozen");
    let refused = world.transfer(&tenant, "k", &crate::world::one_ether(held)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::CONFLICT, "account-not-open")
    );
    let open = world.post(&tenant, &format!("{path}/unfreeze"), &json!({})).await;
    assert_eq!(open.json()["status"], "open");
    let bad = world
        .post(&tenant, &format!("{path}/freeze"), &json!({ "reason": "" }))
        .await;
    assert_eq!(bad.refusal(), ("invalid-field".into(), "reason".into()));
}
