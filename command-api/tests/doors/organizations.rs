//! Organizations: who may register them, their first key, and what of them changes.

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
