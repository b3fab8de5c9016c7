//! Credentials that end: what is revoked is refused within a second. What each credential may, and that another tenant's
//! things do not exist, is the table's to say (`authorization.rs`).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use vaultstream_client::http::With;

use crate::product::Setup;
use crate::refusal::refusal;

const SECOND: Duration = Duration::from_secs(1);

/// How long a request is still let in.
async fn let_in_for(ask: impl Fn() -> RequestBuilder) -> Result<Duration> {
    let begun = Instant::now();
    loop {
        let answer = ask().send().await?;
        if answer.status() == 401 {
            let took = begun.elapsed();
            refusal(401, "unauthenticated", None)
                .check("a credential that was revoked", answer)
                .await?;
            return Ok(took);
        }
        ensure!(answer.status() == 200, "{answer:?}");
        ensure!(begun.elapsed() < 10 * SECOND, "it is let in for ever");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_key_and_its_sessions_should_be_refused_within_a_second() -> Result<()> {
    let product = Setup::new()?.start()?;
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", product.base);
    let body = json!({ "name": "narrow", "scopes": ["vaults:read"] });
    let issued: Value = product
        .client
        .post("/v1/api-keys", &body, With::default())
        .await?
        .body;
    let (id, secret) = (
        issued["id"].as_str().context("an id")?,
        issued["key"]
            .as_str()
            .context("the key is shown once")?
            .to_owned(),
    );
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let opened = http
            .post(url("/v1/sessions"))
            .json(&json!({ "key": secret }))
            .send()
            .await?;
        ensure!(opened.status() == 201, "{opened:?}");
        let cookie = opened.headers().get("set-cookie").context("a cookie")?.to_str()?;
        let cookie = cookie.split(';').next().context("a value")?.to_owned();
        let body: Value = opened.json().await?;
        sessions.push((body["id"].as_str().context("an id")?.to_owned(), cookie));
    }
    let by_key = || http.get(url("/v1/vaults")).bearer_auth(&secret);
    let by_cookie = |cookie: &str| http.get(url("/v1/vaults")).header("cookie", cookie);
    for (_, cookie) in &sessions {
        ensure!(by_cookie(cookie).send().await?.status() == 200);
    }
    ensure!(by_key().send().await?.status() == 200);
    let denied = http
        .post(url("/v1/vaults"))
        .bearer_auth(&secret)
        .json(&json!({ "name": "x", "chains": [] }));
    let denied = refusal(403, "scope-missing", None)
        .check("a narrow key", denied.send().await?)
        .await?;
    ensure!(denied.to_string().contains("`vaults:write`"), "{denied}");

    let [(first, first_cookie), (_, second_cookie)] = &sessions[..] else {
        anyhow::bail!("two sessions")
    };
    let end = http
        .delete(url(&format!("/v1/sessions/{first}")))
        .bearer_auth(&product.key);
    ensure!(end.send().await?.status() == 204);
    let took = let_in_for(|| by_cookie(first_cookie)).await?;
    ensure!(took < SECOND, "an ended session is let in for {took:?}");
    ensure!(
        by_cookie(second_cookie).send().await?.status() == 200 && by_key().send().await?.status() == 200,
        "the others go on"
    );
    let revoke = http
        .delete(url(&format!("/v1/api-keys/{id}")))
        .bearer_auth(&product.key);
    ensure!(revoke.send().await?.status() == 200);
    for took in [
        let_in_for(by_key).await?,
        let_in_for(|| by_cookie(second_cookie)).await?,
    ] {
        ensure!(took < SECOND, "a revoked key is let in for {took:?}");
    }
    Ok(())
}
