//! What is served besides the operations: OpenAPI, its page, the error pages, and everything that is not there.

use http::{Method, StatusCode};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn description_and_pages_should_be_served() {
    let world = World::start().await;
    let get = |path: &'static str| world.call(Method::GET, path, &[], vec![]);
    let description = get("/openapi.json").await;
    assert_eq!(
        (description.status, description.json()["openapi"].as_str()),
        (StatusCode::OK, Some("3.1.0"))
    );
    let page = get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.header("content-security-policy")
            .is_some_and(|p| p.contains("style-src 'self' 'unsafe-inline'"))
    );
    let error = get("/docs/errors/insufficient-funds").await;
    assert!(String::from_utf8_lossy(&error.bytes).starts_with("# insufficient-funds"));
    assert!(
        error
            .header("content-security-policy")
            .is_some_and(|p| !p.contains("unsafe-inline"))
    );
    assert_eq!(get("/v1/nowhere").await.code(), "not-found");
    let wrong = world.call(Method::PUT, "/v1/vaults", &[], vec![]).await;
    assert_eq!(
        (wrong.code().as_str(), wrong.header("allow").is_some()),
        ("method-not-allowed", true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_should_be_checked_without_a_scope() {
    let world = World::start().await;
    let tenant = world.key(&world.platform, &["events:read"]).await;
    let ask = |address: &str| serde_json::json!({ "chain": "eip155:31337", "address": address });
    let good = world
        .post(
            &tenant,
            "/v1/addresses/validate",
            &ask(&crate::world::DESTINATION.to_lowercase()),
        )
        .await
        .json();
    assert_eq!(
        (good["valid"].as_bool(), good["address"].as_str()),
        (Some(true), Some(crate::world::DESTINATION))
    );
    let bad = world
        .post(&tenant, "/v1/addresses/validate", &ask("0x1"))
        .await
        .json();
    assert_eq!(
        (bad["valid"].as_bool(), bad["code"].as_str()),
        (Some(false), Some("invalid-address"))
    );
    let chains = world.get(&tenant, "/v1/chains").await.json();
    assert_eq!(chains["items"][0]["assets"][0]["decimals"], 18);
}
