//! Bad input through the front door of the real binary: a code, a field, a remedy, and nothing is written.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::product::{ETH, ETHER, Product, Setup, account, address};
use crate::refusal::{Refusal, refusal, rested, unchanged};

/// 2^256.
const TOO_LARGE: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639936";

fn post(product: &Product, key: &str, body: &Value) -> reqwest::RequestBuilder {
    reqwest::Client::new()
        .post(format!("{}/v1/transfers", product.base))
        .bearer_auth(&product.key)
        .header("idempotency-key", key)
        .json(body)
}

/// Fields that are wrong, one at a time, and what is said of each.
fn wrong_fields(wrong_checksum: &str) -> Vec<(&'static str, &'static str, Value, Refusal)> {
    let amount = refusal(422, "invalid-amount", Some("amount"));
    vec![
        (
            "unknown asset",
            "asset",
            json!("eip155:31337/slip44:999"),
            refusal(422, "unknown-asset", Some("asset")),
        ),
        (
            "unknown chain",
            "asset",
            json!("eip155:999/slip44:60"),
            refusal(422, "unknown-chain", Some("asset")),
        ),
        (
            "no asset",
            "asset",
            json!("ether"),
            refusal(422, "unknown-asset", Some("asset")),
        ),
        (
            "wrong checksum",
            "destination",
            json!(wrong_checksum),
            refusal(422, "invalid-checksum", Some("destination")),
        ),
        (
            "no address",
            "destination",
            json!("0x12"),
            refusal(422, "invalid-address", Some("destination")),
        ),
        ("zero", "amount", json!("0"), amount),
        ("negative", "amount", json!("-1"), amount),
        ("fraction", "amount", json!("1.5"), amount),
        ("2^256", "amount", json!(TOO_LARGE), amount),
        (
            "too much",
            "amount",
            json!((200 * ETHER).to_string()),
            refusal(422, "insufficient-funds", Some("amount")),
        ),
        (
            "a number for a text",
            "amount",
            json!(1),
            refusal(400, "invalid-field", Some("amount")),
        ),
        (
            "unknown field",
            "nonsense",
            json!(1),
            refusal(400, "unknown-field", Some("nonsense")),
        ),
        (
            "no vault",
            "vaultId",
            json!("vlt_nonsense"),
            refusal(404, "not-found", Some("vaultId")),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_transfers_should_be_refused_and_change_nothing() -> Result<()> {
    let product = Setup::new()?.start()?;
    let from = product.vault("Operations").await?;
    let to = address(&product.vault("Payouts").await?)?;
    product.balance_is(&account(&from)?, |wei| wei > ETHER).await?;
    let last = if to.ends_with('1') { '2' } else { '1' };
    let broken = format!("{}{last}", &to[..to.len() - 1]);
    let good = json!({ "vaultId": from.id, "asset": ETH, "amount": "1", "destination": to });
    let before = rested(&product).await?;
    for (n, (what, field, value, expected)) in wrong_fields(&broken).into_iter().enumerate() {
        let mut body = good.clone();
        body[field] = value;
        let answer = post(&product, &format!("bad-{n}"), &body).send().await?;
        expected.check(what, answer).await?;
    }
    let mut without = good.clone();
    without.as_object_mut().context("an object")?.remove("vaultId");
    let answer = post(&product, "bad-none", &without).send().await?;
    refusal(400, "missing-field", Some("vaultId"))
        .check("no payer", answer)
        .await?;
    let missing = reqwest::Client::new()
        .post(format!("{}/v1/transfers", product.base))
        .bearer_auth(&product.key)
        .json(&good)
        .send()
        .await?;
    refusal(400, "idempotency-key-required", Some("Idempotency-Key"))
        .check("no key", missing)
        .await?;
    unchanged(&product, &before).await?;

    let mut fine = good.clone();
    fine["destination"] = json!(to.to_lowercase());
    let sent = post(&product, "lower-case", &fine).send().await?;
    ensure!(
        sent.status() == 202,
        "an address without a checksum is fine: {}",
        sent.text().await?
    );
    product.completed(&id_of(&sent.json().await?)?).await?;
    let before = rested(&product).await?;
    let reused = post(&product, "lower-case", &good).send().await?;
    refusal(422, "idempotency-key-reused", Some("Idempotency-Key"))
        .check("another request under a used key", reused)
        .await?;
    unchanged(&product, &before).await
}

fn id_of(body: &Value) -> Result<String> {
    Ok(body["id"].as_str().context("an id")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_decisions_should_be_refused_and_change_nothing() -> Result<()> {
    let product = Setup::new()?.start()?;
    let vault = product.vault("Operations").await?;
    let before = rested(&product).await?;
    let http = reqwest::Client::new();
    let change = |tag: &str| {
        http.patch(format!("{}/v1/vaults/{}", product.base, vault.id))
            .bearer_auth(&product.key)
            .header("if-match", tag)
            .json(&json!({ "name": "Renamed" }))
    };
    refusal(412, "precondition-failed", Some("If-Match"))
        .check("stale If-Match", change("\"999\"").send().await?)
        .await?;
    refusal(400, "invalid-field", Some("If-Match"))
        .check("weak If-Match", change("W/\"1\"").send().await?)
        .await?;
    unchanged(&product, &before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_should_be_refused_at_the_edge() -> Result<()> {
    let product = Setup::new()?.start()?;
    let before = rested(&product).await?;
    let http = reqwest::Client::new();
    let post = |body: Vec<u8>| {
        http.post(format!("{}/v1/transfers", product.base))
            .bearer_auth(&product.key)
            .header("idempotency-key", "hostile")
            .header("content-type", "application/json")
            .body(body)
    };
    let invalid = refusal(400, "invalid-json", None);
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    invalid
        .check("10,000 deep", post(deep.into_bytes()).send().await?)
        .await?;
    let garbled = post(vec![b'"', 0xff, 0xfe, b'"']).send().await?;
    invalid.check("invalid UTF-8", garbled).await?;
    match post(vec![b' '; 10 * 1024 * 1024]).send().await {
        Ok(response) => {
            refusal(413, "body-too-large", None)
                .check("10 MB", response)
                .await?;
        }
        // The server may answer and close while the body is still being sent.
        Err(error) => ensure!(error.is_request() || error.is_body(), "{error}"),
    }
    let host = http
        .get(format!("{}/v1/chains", product.base))
        .bearer_auth(&product.key)
        .header("host", "evil.example");
    refusal(421, "host-not-allowed", Some("Host"))
        .check("wrong Host", host.send().await?)
        .await?;
    let origin = post(b"{}".to_vec()).header("origin", "https://evil.example");
    refusal(403, "origin-not-allowed", Some("Origin"))
        .check("wrong Origin", origin.send().await?)
        .await?;
    let stranger = http.get(format!("{}/v1/vaults", product.base));
    refusal(401, "unauthenticated", None)
        .check("no credential", stranger.send().await?)
        .await?;
    unchanged(&product, &before).await
}

/// Queries that would cost more than they may, or mean nothing, with the code of each and the field it names.
fn hostile_queries() -> Vec<(&'static str, String, &'static str, Option<&'static str>)> {
    let deep = format!("{}{}", "{ vaults(first: 1) { nodes ".repeat(8), "}}".repeat(8));
    let aliases: String = (0..40)
        .map(|n| format!("a{n}: viewer {{ __typename }} "))
        .collect();
    let cost = "{ vaults(first: 200) { nodes { transfers(first: 200) { nodes { timeline(last: 200) { nodes { id } } } } } } }";
    let bomb: String = (0..30)
        .map(|n| format!("fragment f{n} on Query {{ ...f{m} ...f{m} }} ", m = n + 1))
        .collect();
    vec![
        ("deep", deep, "query-too-complex", None),
        ("aliases", format!("{{ {aliases} }}"), "query-too-complex", None),
        ("costly", cost.to_owned(), "query-too-complex", None),
        (
            "a fragment bomb",
            format!("{{ ...f0 }} {bomb} fragment f30 on Query {{ viewer {{ __typename }} }}"),
            "query-too-complex",
            None,
        ),
        ("no GraphQL", "{ vaults(".to_owned(), "query-invalid", None),
        (
            "an unknown field",
            "{ secrets { key } }".to_owned(),
            "query-invalid",
            None,
        ),
        (
            "a mutation",
            "mutation { createVault { id } }".to_owned(),
            "query-invalid",
            None,
        ),
        (
            "a page too large",
            "{ vaults(first: 100000) { edges { node { id } } } }".to_owned(),
            "invalid-field",
            Some("first"),
        ),
        (
            "no id",
            "{ vault(id: \"vlt_nonsense\") { id } }".to_owned(),
            "invalid-field",
            Some("id"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_graphql_should_be_refused_and_change_nothing() -> Result<()> {
    let product = Setup::new()?.start()?;
    let before = rested(&product).await?;
    let http = reqwest::Client::new();
    let url = format!("{}/graphql", product.base);
    for (what, query, code, field) in hostile_queries() {
        let ask = http
            .post(&url)
            .bearer_auth(&product.key)
            .json(&json!({ "query": query }));
        let body: Value = ask.send().await?.json().await.context(what)?;
        let error = &body["errors"][0];
        ensure!(
            error["extensions"]["code"] == code,
            "{what}, wanted {code}: {body}"
        );
        ensure!(
            error["extensions"]["field"].as_str() == field,
            "{what}, wanted the field {field:?}: {body}"
        );
        for text in ["remedy", "requestId"] {
            ensure!(
                error["extensions"][text].as_str().is_some_and(|t| !t.is_empty()),
                "{what} has no {text}: {body}"
            );
        }
        ensure!(
            body["data"]
                .as_object()
                .is_none_or(|d| d.values().all(Value::is_null)),
            "{what}: {body}"
        );
    }
    let post = |body: Vec<u8>| {
        http.post(&url)
            .bearer_auth(&product.key)
            .header("content-type", "application/json")
            .body(body)
    };
    let large = json!({ "query": " ".repeat(70_000) }).to_string();
    refusal(413, "body-too-large", None)
        .check("more than 64 KiB", post(large.into_bytes()).send().await?)
        .await?;
    refusal(400, "invalid-json", None)
        .check("no JSON", post(b"{ vaults }".to_vec()).send().await?)
        .await?;
    let stranger = http
        .post(&url)
        .json(&json!({ "query": "{ viewer { __typename } }" }));
    refusal(401, "unauthenticated", None)
        .check("a stranger", stranger.send().await?)
        .await?;
    unchanged(&product, &before).await
}
