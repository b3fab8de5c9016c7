//! An organization that is suspended reads and leaves, over the whole table of operations. What each scope lets in, and
//! who is refused, is asked of the real binary: `tests/system/authorization.rs`.

use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand};
use vaultstream_gateway::operation::{Effect, Operation, Room, Verb};
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
