//! The browser's way in: a key exchanged for a cookie, a link that works once, and what a cookie alone may not do.

use std::sync::Arc;

use futures::future::join_all;
use http::{Method, StatusCode};
use serde_json::json;
use vaultstream_command_api::link_path;
use vaultstream_domain::organization::OfferSession;
use vaultstream_domain::ports::{Clock, Ids};
use vaultstream_event_schemas::organization::v1::SessionOffered;
use vaultstream_event_schemas::{SessionId, id};
use vaultstream_gateway::credential::Secret;
use vaultstream_infra_runtime::{SystemClock, SystemIds, SystemRng};

use crate::world::{Answer, Tenant, World};

/// The cookie an answer sets, as a browser would send it back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    set.split(';').next().unwrap_or("").to_owned()
}

async fn sign_in(world: &World, tenant: &Tenant) -> String {
    let body = json!({ "key": tenant.text }).to_string().into_bytes();
    let answer = world
        .call(
            Method::POST,
            "/v1/sessions",
            &[("origin", "http://127.0.0.1:8080")],
            body,
        )
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json());
    assert!(
        !String::from_utf8_lossy(&answer.bytes).contains(&tenant.text),
        "the key does not come back"
    );
    cookie(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_should_work_from_our_own_page_until_it_is_ended() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let cookie = sign_in(&world, &tenant).await;
    let page = [
        ("cookie", cookie.as_str()),
        ("x-vaultstream-request", "1"),
        ("origin", "http://127.0.0.1:8080"),
    ];
    let created = world
        .call(Method::POST, "/v1/vaults", &page, b"{\"name\":\"A\"}".to_vec())
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.json());
    let ended = world
        .call(Method::DELETE, "/v1/sessions/current", &page, vec![])
        .await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert!(
        ended
            .header("set-cookie")
            .is_some_and(|c| c.contains("Max-Age=0"))
    );
    for _ in 0..100 {
        if world.call(Method::GET, "/v1/chains", &page, vec![]).await.status == StatusCode::UNAUTHORIZED {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("an ended session still works after a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_alone_should_change_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let cookie = sign_in(&world, &tenant).await;
    let before = world.heads().await;
    let body = b"{\"name\":\"A\"}".to_vec();
    let bare = world
        .call(Method::POST, "/v1/vaults", &[("cookie", &cookie)], body.clone())
        .await;
    assert_eq!(
        bare.refusal(),
        ("csrf-header-missing".into(), "X-Vaultstream-Request".into())
    );
    let foreign = [
        ("cookie", cookie.as_str()),
        ("x-vaultstream-request", "1"),
        ("origin", "https://evil.example"),
    ];
    let foreign = world.call(Method::POST, "/v1/vaults", &foreign, body).await;
    assert_eq!(
        (foreign.status, foreign.code().as_str()),
        (StatusCode::FORBIDDEN, "origin-not-allowed")
    );
    let null = world
        .call(
            Method::GET,
            "/v1/chains",
            &[("cookie", &cookie), ("origin", "null")],
            vec![],
        )
        .await;
    assert_eq!(null.code(), "origin-not-allowed");
    let read = world
        .call(Method::GET, "/v1/chains", &[("cookie", &cookie)], vec![])
        .await;
    assert_eq!(
        read.status,
        StatusCode::OK,
        "reading needs no proof: nothing can be read across origins"
    );
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_key_should_open_no_session() {
    let world = World::start().await;
    let before = world.heads().await;
    let body = json!({ "key": "key_nonsense" }).to_string().into_bytes();
    let answer = world.call(Method::POST, "/v1/sessions", &[], body).await;
    assert_eq!(
        (answer.status, answer.refusal().1.as_str()),
        (StatusCode::UNAUTHORIZED, "key")
    );
    assert_eq!(world.heads().await, before);
}

async fn link(world: &World, tenant: &Tenant, seconds: i64) -> String {
    let session = SessionId::from_uuid(id::with_shard(SystemIds.next(), tenant.key.shard()));
    let code = Secret::generate(&SystemRng);
    let offer = SessionOffered {
        code_sha256: code.sha256_hex(),
        expires_at: SystemClock.now().plus_seconds(seconds),
        key: tenant.key,
        scopes: vec!["vaults:read".into()],
    };
    world.run(OfferSession { session, offer }).await;
    link_path(session, &code)
}

#[tokio::test(flavor = "multi_thread")]
async fn link_should_open_one_session_however_many_follow_it() {
    let world = Arc::new(World::start().await);
    let tenant = world.tenant("Acme").await;
    let path = link(&world, &tenant, 60).await;
    let looked = world.call(Method::HEAD, &path, &[], vec![]).await;
    assert_eq!(looked.status, StatusCode::NO_CONTENT);
    let ahead = world
        .call(Method::GET, &path, &[("sec-purpose", "prefetch")], vec![])
        .await;
    assert_eq!(
        (ahead.status, ahead.header("set-cookie")),
        (StatusCode::NO_CONTENT, None)
    );
    let calls = (0..20).map(|_| {
        let (world, path) = (Arc::clone(&world), path.clone());
        tokio::spawn(async move { world.call(Method::GET, &path, &[], vec![]).await })
    });
    let answers: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|a| a.expect("no panic"))
        .collect();
    let opened: Vec<_> = answers
        .iter()
        .filter(|a| a.status == StatusCode::SEE_OTHER)
        .collect();
    assert_eq!(
        opened.len(),
        1,
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    assert_eq!(opened[0].header("location"), Some("/"));
    assert!(
        answers
            .iter()
            .filter(|a| a.status != StatusCode::SEE_OTHER)
            .all(|a| a.code() == "unauthenticated")
    );
    let cookie = cookie(opened[0]);
    let page = [("cookie", cookie.as_str()), ("x-vaultstream-request", "1")];
    assert_eq!(
        world.call(Method::GET, "/v1/chains", &page, vec![]).await.status,
        StatusCode::OK
    );
    let beyond = world
        .call(Method::POST, "/v1/vaults", &page, b"{\"name\":\"A\"}".to_vec())
        .await;
    assert_eq!(
        beyond.code(),
        "scope-missing",
        "a session does what its link allows and no more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_links_should_open_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let expired = link(&world, &tenant, -1).await;
    let other = link(&world, &tenant, 60).await;
    let mixed = format!("{}{}", &expired[..expired.len() - 10], &other[other.len() - 10..]);
    for path in [
        expired.as_str(),
        &mixed,
        "/session/link",
        "/session/link?code=nonsense",
    ] {
        let answer = world.call(Method::GET, path, &[], vec![]).await;
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (StatusCode::UNAUTHORIZED, None),
            "{path}"
        );
        let person = world
            .call(Method::GET, path, &[("accept", "text/html")], vec![])
            .await;
        assert_eq!(person.header("location"), Some("/?link=refused"));
    }
}
