//! Who comes in: wrong and revoked keys, and connections that outlive their credential.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use vaultstream_gateway::credentials::Presented;

use crate::world::{Tenant, World};

/// Revokes a key through the API and says how long it still worked.
async fn revoke_and_wait(world: &World, admin: &Tenant, key: &Tenant) -> Duration {
    assert_eq!(world.get(key, "/v1/chains").await.status, StatusCode::OK);
    let bearer = admin.bearer();
    let path = format!("/v1/api-keys/{}", key.key);
    let revoked = world
        .call(Method::DELETE, &path, &[("authorization", &bearer)], vec![])
        .await;
    assert_eq!(
        (revoked.status, revoked.json()["status"].as_str()),
        (StatusCode::OK, Some("revoked"))
    );
    let since = Instant::now();
    while world.get(key, "/v1/chains").await.status == StatusCode::OK {
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "a revoked key still works after a second"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_key_should_end_within_a_second() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let key = world.key(&tenant, &["vaults:read"]).await;
    revoke_and_wait(&world, &tenant, &key).await;
    assert_eq!(world.get(&key, "/v1/chains").await.code(), "unauthenticated");
    assert_eq!(world.get(&tenant, "/v1/chains").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connection_should_hear_of_a_revocation() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let key = world.key(&tenant, &["vaults:read"]).await;
    let principal = world
        .credentials
        .authenticate(Presented::Key(&key.text), None)
        .await
        .expect("valid");
    let watched = world.credentials.clone();
    let socket = tokio::spawn(async move { watched.until_revoked(&principal).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!socket.is_finished(), "a valid credential keeps its connection");
    revoke_and_wait(&world, &tenant, &key).await;
    tokio::time::timeout(Duration::from_secs(1), socket)
        .await
        .expect("within a second")
        .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_should_all_read_the_same() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let mut wrong_secret = tenant.text.clone();
    let last = if wrong_secret.ends_with('A') { 'Q' } else { 'A' };
    wrong_secret.pop();
    wrong_secret.push(last);
    let unknown = tenant.text.replacen("key_0", "key_1", 1);
    for text in [wrong_secret.as_str(), unknown.as_str(), "nonsense", ""] {
        let bearer = format!("Bearer {text}");
        let answer = world
            .call(Method::GET, "/v1/chains", &[("authorization", &bearer)], vec![])
            .await;
        let body = answer.json();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::UNAUTHORIZED, "unauthenticated"),
            "{text}"
        );
        assert_eq!(
            body["detail"], "the credential is unknown, wrong, expired or revoked",
            "{text}"
        );
    }
    let basic = world
        .call(
            Method::GET,
            "/v1/chains",
            &[("authorization", "Basic abc")],
            vec![],
        )
        .await;
    assert_eq!(
        basic.refusal(),
        ("unauthenticated".into(), "Authorization".into())
    );
}
