//! Authorization over the whole table of operations: who lacks the scope learns its name and changes nothing.

use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand, scope};
use vaultstream_gateway::operation::{Access, Effect, Operation, Room, Verb};
use vaultstream_gateway::operations;

use crate::world::World;

fn commands() -> impl Iterator<Item = &'static Operation> {
    operations::ALL.iter().filter(|o| o.room == Room::Commands)
}

fn method(operation: &Operation) -> Method {
    match operation.verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    }
}

fn path(operation: &Operation) -> String {
    operation
        .path
        .replace("{id}", "nothing")
        .replace("{slug}", "eth_sandbox")
        .replace("{view}", "transfers")
        .replace("{subject}", "nothing")
}

#[tokio::test(flavor = "multi_thread")]
async fn operation_should_be_refused_without_its_scope_and_name_it() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    for operation in commands() {
        let Access::Scope(needed) = operation.access else {
            continue;
        };
        let others: Vec<_> = scope::ALL
            .iter()
            .map(|(s, _)| *s)
            .filter(|s| *s != needed)
            .collect();
        let key = world.key(&tenant, &others).await;
        let before = world.heads().await;
        let headers = [("authorization", key.bearer()), ("idempotency-key", "k".into())];
        let headers = headers.each_ref().map(|(n, v)| (*n, v.as_str()));
        let answer = world
            .call(method(operation), &path(operation), &headers, b"{}".to_vec())
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, "scope-missing"),
            "{}",
            operation.id
        );
        let detail = answer.json()["detail"].as_str().unwrap_or("").to_owned();
        assert!(
            detail.contains(&format!("`{needed}`")),
            "{}: {detail}",
            operation.id
        );
        assert_eq!(world.heads().await, before, "{}", operation.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_alone_should_let_its_operation_in() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    for operation in commands() {
        let Access::Scope(needed) = operation.access else {
            continue;
        };
        let key = world.key(&tenant, &[needed]).await;
        let bearer = key.bearer();
        let answer = world
            .call(
                method(operation),
                &path(operation),
                &[("authorization", &bearer)],
                b"{}".to_vec(),
            )
            .await;
        let code = if answer.status.is_success() {
            String::new()
        } else {
            answer.code()
        };
        // The platform's own operations say so in their own words, behind the scope.
        let platform_only = matches!(
            operation.id,
            "registerOrganization"
                | "suspendOrganization"
                | "reactivateOrganization"
                | "rebuildView"
                | "retryView"
        );
        assert!(
            !matches!(answer.status, StatusCode::UNAUTHORIZED) && (code != "scope-missing" || platform_only),
            "{}: {code}",
            operation.id
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stranger_should_be_refused_everywhere() {
    let world = World::start().await;
    let before = world.heads().await;
    for operation in commands().filter(|o| o.access != Access::Public) {
        let answer = world
            .call(method(operation), &path(operation), &[], b"{}".to_vec())
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::UNAUTHORIZED, "unauthenticated"),
            "{}",
            operation.id
        );
        assert!(answer.header("www-authenticate").is_some());
    }
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_organization_should_leave_and_change_nothing_else() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    assert_eq!(world.get(&tenant, "/v1/chains").await.status, StatusCode::OK);
    let command = OrganizationCommand::Suspend {
        reason: "review".into(),
    };
    world
        .run(ChangeOrganization {
            organization: tenant.organization,
            expected: None,
            command,
        })
        .await;
    // The tail of the log is heard within a moment, not at once.
    let bearer = tenant.bearer();
    for _ in 0..100 {
        if !world
            .post(&tenant, "/v1/vaults", &json!({ "name": "A" }))
            .await
            .status
            .is_success()
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    for operation in commands().filter(|o| o.effect == Effect::Commands) {
        let answer = world
            .call(
                method(operation),
                &path(operation),
                &[("authorization", &bearer)],
                b"{}".to_vec(),
            )
            .await;
        assert_eq!(answer.code(), "organization-not-active", "{}", operation.id);
    }
    assert_eq!(world.get(&tenant, "/v1/chains").await.status, StatusCode::OK);
    let own = format!("/v1/api-keys/{}", tenant.key);
    let revoked = world
        .call(Method::DELETE, &own, &[("authorization", &bearer)], vec![])
        .await;
    assert_eq!(revoked.status, StatusCode::OK);
}
