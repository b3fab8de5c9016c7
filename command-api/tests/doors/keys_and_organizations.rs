//! Organizations and keys: who may make them, and what a key may hand on.

use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::OrganizationId;

use crate::world::{Tenant, World};

#[tokio::test(flavor = "multi_thread")]
async fn platform_should_register_an_organization_once_and_issue_its_first_key() {
    let world = World::start().await;
    let contact = json!({ "email": "ops@acme.example", "name": "Operations" });
    let body = json!({ "name": "Acme", "approval": "one", "contact": contact });
    let key = [("idempotency-key", "acme")];
    let first = world
        .post_with(&world.platform, "/v1/organizations", &key, &body)
        .await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.json());
    let again = world
        .post_with(&world.platform, "/v1/organizations", &key, &body)
        .await;
    assert_eq!(
        (again.bytes.clone(), again.header("idempotency-replayed")),
        (first.bytes.clone(), Some("true"))
    );
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    let organization: OrganizationId = id.parse().expect("an organization");
    let events = world
        .log
        .read_stream(organization.into(), 0, 10)
        .await
        .expect("reads");
    assert!(
        !String::from_utf8_lossy(&events[0].payload).contains("acme.example"),
        "a contact is sealed"
    );
    let issue = json!({ "name": "first", "scopes": ["vaults:write", "vaults:read"], "organizationId": id });
    let issued = world.post(&world.platform, "/v1/api-keys", &issue).await.json();
    let key = issued["id"].as_str().and_then(|t| t.parse().ok()).expect("an id");
    let text = issued["key"].as_str().expect("shown once").to_owned();
    let tenant = Tenant {
        organization,
        key,
        text,
    };
    let vault = world.post(&tenant, "/v1/vaults", &json!({ "name": "A" })).await;
    assert_eq!(vault.json()["organizationId"], id);
}

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

#[tokio::test(flavor = "multi_thread")]
async fn organization_should_change_its_name_and_approvals() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let bearer = tenant.bearer();
    let path = format!("/v1/organizations/{}", tenant.organization);
    let patch = |body: &'static str| world.call(Method::PATCH, &path, &[], body.as_bytes().to_vec());
    assert_eq!(patch("{}").await.status, StatusCode::UNAUTHORIZED);
    let with = |body: &'static str| {
        let headers = [("authorization", bearer.as_str())];
        let (world, path) = (&world, &path);
        async move {
            world
                .call(Method::PATCH, path, &headers, body.as_bytes().to_vec())
                .await
        }
    };
    assert_eq!(
        with("{}").await.refusal(),
        ("missing-field".into(), "name".into())
    );
    let changed = with("{\"name\":\"Acme Ltd\",\"approval\":\"none\"}").await.json();
    assert_eq!(
        (changed["name"].as_str(), changed["approval"].as_str()),
        (Some("Acme Ltd"), Some("none"))
    );
    assert_eq!(changed["version"], 3);
}
