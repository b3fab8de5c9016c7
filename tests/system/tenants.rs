//! Two real tenants of one installation, and credentials that end: what is another's does not exist, and what is revoked is
//! refused within a second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use vaultstream_client::http::{Client, With};
use vaultstream_client::{CreateVault, Vault};

use crate::product::{ETH, Product, Setup, account, address};
use crate::refusal::{refusal, rested, unchanged};

const SECOND: Duration = Duration::from_secs(1);

/// Another tenant: registered by the platform, with a key and a vault of its own.
struct Other {
    key: String,
    organization: String,
    vault: Vault,
}

impl Other {
    async fn register(setup: &Setup, product: &Product) -> Result<Self> {
        let platform = setup.platform(product)?;
        let body = json!({ "name": "Other" });
        let registered: Value = platform
            .post("/v1/organizations", &body, With::default())
            .await?
            .body;
        let organization = registered["id"].as_str().context("an id")?.to_owned();
        let scopes = [
            "transfers:read",
            "transfers:write",
            "transfers:approve",
            "vaults:read",
            "vaults:write",
            "accounts:write",
            "keys:write",
            "organizations:write",
            "events:read",
        ];
        let body = json!({ "name": "first", "scopes": scopes, "organizationId": organization });
        let issued: Value = platform.post("/v1/api-keys", &body, With::default()).await?.body;
        let key = issued["key"]
            .as_str()
            .context("the key is shown once")?
            .to_owned();
        let body = CreateVault {
            name: "Theirs".to_owned(),
            tier: None,
            chains: vec!["eip155:31337".to_owned()],
        };
        let with = With {
            wait: Some(20),
            ..With::default()
        };
        let client = Client::try_new(&product.base, Some(&key))?;
        let vault = client.create_vault(&body, with).await?.body;
        Ok(Self {
            key,
            organization,
            vault,
        })
    }

    fn ask(&self, product: &Product, method: Method, path: &str) -> RequestBuilder {
        reqwest::Client::new()
            .request(method, format!("{}{path}", product.base))
            .bearer_auth(&self.key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn things_of_another_tenant_should_not_exist() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let (mine, payouts) = (
        product.vault("Operations").await?,
        product.vault("Payouts").await?,
    );
    let to = address(&payouts)?;
    product.balance_is(&account(&mine)?, |wei| wei > 0).await?;
    let transfer = product.transfer(&mine, &to, 1, "mine").await?;
    product.completed(&transfer).await?;
    let other = Other::register(&setup, &product).await?;
    let before = rested(&product).await?;

    let pay = |field: &str, id: String| {
        let mut body = json!({ "asset": ETH, "amount": "1", "destination": to });
        body[field] = json!(id);
        other
            .ask(&product, Method::POST, "/v1/transfers")
            .header("idempotency-key", format!("foreign-{field}"))
            .json(&body)
    };
    for (field, id) in [("vaultId", mine.id.to_string()), ("accountId", account(&mine)?)] {
        refusal(404, "not-found", Some(field))
            .check(field, pay(field, id).send().await?)
            .await?;
    }
    let reason = json!({ "reason": "mine now" });
    let (vault, account) = (format!("/v1/vaults/{}", mine.id), account(&mine)?);
    let organization = format!("/v1/organizations/{}", mine.organization_id);
    for (method, path, body) in [
        (Method::GET, vault.clone(), None),
        (Method::PATCH, vault.clone(), Some(json!({ "name": "Mine now" }))),
        (
            Method::POST,
            format!("{vault}/accounts"),
            Some(json!({ "chain": "eip155:31337" })),
        ),
        (Method::GET, format!("/v1/accounts/{account}"), None),
        (
            Method::POST,
            format!("/v1/accounts/{account}/freeze"),
            Some(reason.clone()),
        ),
        (Method::GET, format!("/v1/transfers/{transfer}"), None),
        (
            Method::POST,
            format!("/v1/transfers/{transfer}/cancel"),
            Some(reason.clone()),
        ),
        (Method::GET, organization.clone(), None),
        (
            Method::PATCH,
            organization.clone(),
            Some(json!({ "name": "Mine now" })),
        ),
    ] {
        let what = format!("{method} {path}");
        let mut request = other.ask(&product, method, &path).header("if-match", "*");
        if let Some(body) = body {
            request = request.json(&body);
        }
        refusal(404, "not-found", None)
            .check(&what, request.send().await?)
            .await?;
    }
    refusal(403, "scope-missing", None)
        .check(
            "suspending",
            other
                .ask(&product, Method::POST, &format!("{organization}/suspend"))
                .json(&reason)
                .send()
                .await?,
        )
        .await?;
    lists_should_show_one_tenant(&product, &other, &mine, &transfer).await?;
    unchanged(&product, &before).await
}

async fn lists_should_show_one_tenant(
    product: &Product,
    other: &Other,
    mine: &Vault,
    transfer: &str,
) -> Result<()> {
    let query = "query($vault: ID!, $transfer: ID!, $text: String!) { vault(id: $vault) { id } \
        transfer(id: $transfer) { id } vaults(first: 50) { edges { node { id } } } \
        search(text: $text, first: 50) { __typename } feed(first: 50) { edges { node { subjectId } } } }";
    let variables = json!({ "vault": mine.id, "transfer": transfer, "text": mine.id });
    let ask = other.ask(product, Method::POST, "/graphql");
    let body = json!({ "query": query, "variables": variables });
    let answer: Value = ask.json(&body).send().await?.json().await?;
    let codes: Vec<_> = answer["errors"]
        .as_array()
        .context("errors")?
        .iter()
        .map(|e| e["extensions"]["code"].clone())
        .collect();
    ensure!(codes == ["not-found", "not-found"], "{answer}");
    let data = &answer["data"];
    ensure!(data["vault"].is_null() && data["transfer"].is_null(), "{answer}");
    let listed = json!([{ "node": { "id": other.vault.id } }]);
    ensure!(data["vaults"]["edges"] == listed, "{answer}");
    ensure!(data["search"] == json!([]), "{answer}");
    let text = answer.to_string();
    ensure!(
        text.contains(&other.vault.id.to_string())
            && !text.contains(&mine.id.to_string())
            && !text.contains(transfer),
        "{answer}"
    );
    let page: Value = other
        .ask(product, Method::GET, "/v1/organizations")
        .send()
        .await?
        .json()
        .await?;
    let ids: Vec<_> = page["items"]
        .as_array()
        .context("items")?
        .iter()
        .map(|o| &o["id"])
        .collect();
    ensure!(ids == [&json!(other.organization)], "{page}");
    Ok(())
}

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
