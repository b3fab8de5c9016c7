//! What does not exist for a caller, or needs a scope.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn foreign_things_should_not_exist() {
    let rest = Rest::start().await;
    let (tenant, other) = (rest.tenant().await, rest.tenant().await);
    let held = rest.world.vault(&tenant, "Operations").await;
    let transfer = rest.world.transfer(&tenant, held).await;
    rest.world.settled().await;
    for path in [
        format!("/v1/vaults/{}", held.vault),
        format!("/v1/accounts/{}", held.account),
        format!("/v1/transfers/{transfer}"),
        format!("/v1/organizations/{}", tenant.organization),
        format!("/v1/api-keys/{}", tenant.key),
        format!("/v1/vaults/{transfer}"),
        "/v1/transfers/trf_nonsense".to_owned(),
    ] {
        let (status, _, body) = rest.call(&other, &path, None).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::NOT_FOUND, "not-found"),
            "{path}"
        );
    }
    for list in ["/v1/vaults", "/v1/transfers"] {
        assert_eq!(
            rest.get(&other, list).await["items"],
            Value::Array(vec![]),
            "{list}"
        );
    }
    let foreign = rest
        .get(&other, &format!("/v1/transfers?vaultId={}", held.vault))
        .await;
    assert_eq!(foreign["items"], Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_should_be_refused_without_its_scope() {
    let rest = Rest::start().await;
    for operation in operations::ALL.iter().filter(|o| o.room == Room::Reads) {
        let Access::Scope(needed) = operation.access else {
            continue;
        };
        let others: Vec<_> = scope::ALL
            .iter()
            .map(|(s, _)| *s)
            .filter(|s| *s != needed)
            .collect();
        let tenant = rest.world.tenant(&others).await;
        let path = operation
            .path
            .replace("{id}", "nothing")
            .replace("{view}", "transfers");
        let (status, _, body) = rest.call(&tenant, &path, None).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::FORBIDDEN, "scope-missing"),
            "{}",
            operation.id
        );
        assert!(
            body["detail"].as_str().is_some_and(|d| d.contains(needed)),
            "{}",
            operation.id
        );
    }
}
