//! How often one comes in: guessers are slowed down, and one key does not use up another's rate.

use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_gateway::limit::Quota;

use crate::world::World;

const GENEROUS: Quota = Quota {
    per_second: 10_000,
    burst: 10_000,
};

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
