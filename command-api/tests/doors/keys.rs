//! Keys: what a tenant may ask of them, and what a key may hand on.

use http::StatusCode;
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn tenant_should_not_reach_beyond_itself() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let before = world.heads().await;
    let register = world
        .post(&tenant, "/v1/organizations", &json!({ "name": "Mine" }))
        .await;
    assert_eq!(register.code(), "scope-missing");
    let own = format!("/v1/organizations/{}/suspend", world.platform.organization);
    assert_eq!(
        world.post(&world.platform, &own, &json!({})).await.code(),
        "state-conflict"
    );
    let foreign = json!({ "name": "k", "scopes": ["vaults:read"], "organizationId": world.platform.organization.to_string() });
    assert_eq!(
        world.post(&tenant, "/v1/api-keys", &foreign).await.refusal(),
        ("not-found".into(), "organizationId".into())
    );
    for (body, code, field) in [
        (
            json!({ "name": "k", "scopes": ["money:print"] }),
            "invalid-field",
            "scopes",
        ),
        (json!({ "name": "k", "scopes": [] }), "invalid-field", "scopes"),
        (
            json!({ "name": "", "scopes": ["vaults:read"] }),
            "invalid-field",
            "name",
        ),
        (
            json!({ "name": "k", "scopes": ["vaults:read"], "expiresIn": 0 }),
            "invalid-field",
            "expiresIn",
        ),
    ] {
        assert_eq!(
            world.post(&tenant, "/v1/api-keys", &body).await.refusal(),
            (code.into(), field.into()),
            "{body}"
        );
    }
    let named = world
        .post_with(
            &tenant,
            "/v1/api-keys",
            &[("idempotency-key", "k")],
            &json!({ "name": "k", "scopes": ["vaults:read"] }),
        )
        .await;
    assert_eq!(
        named.refusal(),
        ("idempotency-key-invalid".into(), "Idempotency-Key".into())
    );
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_should_hand_on_only_what_it_has() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let issuer = world.key(&tenant, &["keys:write", "vaults:read"]).await;
    let less = world
        .post(
            &issuer,
            "/v1/api-keys",
            &json!({ "name": "k", "scopes": ["vaults:read"] }),
        )
        .await;
    assert_eq!(less.status, StatusCode::CREATED);
    let more = world
        .post(
            &issuer,
            "/v1/api-keys",
            &json!({ "name": "k", "scopes": ["transfers:approve"] }),
        )
        .await;
    assert_eq!(
        (more.code().as_str(), more.refusal().1.as_str()),
        ("scope-missing", "scopes")
    );
}
