//! Who comes in: wrong and revoked keys, rates, and connections that outlive their credential.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_gateway::credentials::Presented;
use vaultstream_gateway::limit::Quota;

use crate::world::{Tenant, World};

const GENEROUS: Quota = Quota {
    per_second: 10_000,
    burst: 10_000,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn guessing_should_be_slowed_down_and_keys_should_not_suffer() {
    let world = World::with((
        GENEROUS,
        Quota {
            per_second: 1,
            burst: 5,
        },
    ))
    .await;
    let tenant = world.tenant("Acme").await;
    assert_eq!(world.get(&tenant, "/v1/chains").await.status, StatusCode::OK);
    let mut codes = Vec::new();
    for _ in 0..8 {
        let answer = world
            .call(
                Method::GET,
                "/v1/chains",
                &[("authorization", "Bearer nonsense")],
                vec![],
            )
            .await;
        codes.push(answer.status.as_u16());
    }
    // A text that has not the form of a key is refused without a look-up and costs nobody a try.
    assert!(codes.iter().all(|c| *c == 401), "{codes:?}");
    let stranger = |n: usize| {
        let text = format!(
            "Bearer {}{}",
            &tenant.text[..tenant.text.len() - 2],
            ["AA", "BA", "CA", "DA"][n % 4]
        );
        let world = &world;
        async move {
            world
                .call(Method::GET, "/v1/chains", &[("authorization", &text)], vec![])
                .await
        }
    };
    let mut last = stranger(0).await;
    for n in 1..12 {
        last = stranger(n).await;
    }
    assert_eq!(
        (last.status, last.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "rate-limited")
    );
    assert!(last.header("retry-after").is_some() && last.header("ratelimit").is_some());
    assert_eq!(
        world.get(&tenant, "/v1/chains").await.status,
        StatusCode::OK,
        "a known key is not held up by guessers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_busy_key_should_not_use_up_anothers_rate() {
    let world = World::with((
        Quota {
            per_second: 1,
            burst: 2,
        },
        GENEROUS,
    ))
    .await;
    let tenant = world.tenant("Acme").await;
    let other = world.key(&tenant, &["vaults:read"]).await;
    let first = world.get(&tenant, "/v1/chains").await;
    assert_eq!(first.header("ratelimit-policy"), Some("\"default\";q=1;w=1"));
    assert!(
        first
            .header("ratelimit")
            .is_some_and(|r| r.starts_with("\"default\";r=1;"))
    );
    world.get(&tenant, "/v1/chains").await;
    let refused = world.post(&tenant, "/v1/vaults", &json!({ "name": "A" })).await;
    assert_eq!(
        (refused.status, refused.json()["retryable"].as_bool()),
        (StatusCode::TOO_MANY_REQUESTS, Some(true))
    );
    assert_eq!(world.get(&other, "/v1/chains").await.status, StatusCode::OK);
}
