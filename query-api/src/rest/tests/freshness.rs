//! How fresh answers are, and how that is asked for.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn single_resources_should_be_as_fresh_as_the_log() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    // No waiting for views: what was appended a moment ago is here.
    let vault = rest.get(&tenant, &format!("/v1/vaults/{}", held.vault)).await;
    assert_eq!(
        (vault["name"].as_str(), vault["tier"].as_str()),
        (Some("Operations"), Some("hot"))
    );
    assert_eq!(vault["accounts"][0]["status"], "open");
    let account = rest.get(&tenant, &format!("/v1/accounts/{}", held.account)).await;
    assert_eq!(account["balances"][0]["amount"]["minor"], "5000000000000000000");
    let organization = rest
        .get(&tenant, &format!("/v1/organizations/{}", tenant.organization))
        .await;
    assert_eq!(organization["approval"], "none");
    let key = rest.get(&tenant, &format!("/v1/api-keys/{}", tenant.key)).await;
    assert_eq!(
        (key["status"].as_str(), key["key"].is_null()),
        (Some("active"), true)
    );
    assert!(!key.to_string().contains("sha256"), "hashes stay inside: {key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn seen_resource_should_not_be_sent_again_until_it_changes() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    let path = format!("/v1/accounts/{}", held.account);
    let (_, headers, body) = rest.call(&tenant, &path, None).await;
    assert_eq!(etag(&headers), format!("\"{}\"", body["version"]));
    assert_eq!(
        rest.call(&tenant, &path, Some(&etag(&headers))).await.0,
        StatusCode::NOT_MODIFIED
    );
    rest.world.balance(&tenant, held, 7, 2).await;
    let (status, _, body) = rest.call(&tenant, &path, Some(&etag(&headers))).await;
    assert_eq!(
        (status, body["balances"][0]["amount"]["minor"].as_str()),
        (StatusCode::OK, Some("7"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn token_should_be_waited_for_or_said_to_be_ahead() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    let transfer = rest.world.transfer(&tenant, held).await;
    let shard = transfer.shard();
    let seal = |position| {
        let positions = Positions::one(
            shard,
            Place {
                incarnation: 1,
                position,
            },
        );
        rest.world.services.mac.seal_token(&positions)
    };
    let head = rest.world.history.log.heads().await.expect("heads")[&shard].position;
    let page = rest
        .get(&tenant, &format!("/v1/transfers?atLeast={}", seal(head)))
        .await;
    assert_eq!(
        page["items"][0]["id"],
        transfer.to_string(),
        "a read after a command sees it"
    );
    let (status, headers, ahead) = rest
        .call(
            &tenant,
            &format!("/v1/transfers?atLeast={}", seal(head + 99)),
            None,
        )
        .await;
    assert_eq!(
        (status, code(&ahead)),
        (StatusCode::SERVICE_UNAVAILABLE, "read-model-behind")
    );
    assert!(headers.contains_key("retry-after"));
    for path in ["/v1/transfers".to_owned(), format!("/v1/transfers/{transfer}")] {
        let body = rest.get(&tenant, &format!("{path}?atLeast=AAAA")).await;
        assert_eq!(
            (code(&body), body["errors"][0]["field"].as_str()),
            ("token-invalid", Some("atLeast"))
        );
    }
    assert_eq!(ShardNumber(2), shard);
}
