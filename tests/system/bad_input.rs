//! Bad input through the front door of the real binary: a code, a field, a remedy, and nothing changes.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::product::{ETH, ETHER, Product, Setup, account, address};

struct Refusal {
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
}

const fn refusal(status: u16, code: &'static str, field: Option<&'static str>) -> Refusal {
    Refusal { status, code, field }
}

async fn answer(response: reqwest::Response) -> Result<(u16, Value)> {
    let status = response.status().as_u16();
    let kind = response
        .headers()
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body: Value = response
        .json()
        .await
        .with_context(|| format!("status {status}, {kind}"))?;
    ensure!(kind.starts_with("application/problem+json"), "{kind}: {body}");
    Ok((status, body))
}

fn check(what: &str, (status, body): &(u16, Value), expected: &Refusal) -> Result<()> {
    ensure!(
        *status == expected.status,
        "{what}: {status}, wanted {}: {body}",
        expected.status
    );
    ensure!(body["code"] == expected.code, "{what}: {body}");
    ensure!(
        body["remedy"].as_str().is_some_and(|r| !r.is_empty()),
        "{what} has no remedy: {body}"
    );
    if let Some(field) = expected.field {
        let named = body["errors"]
            .as_array()
            .is_some_and(|e| e.iter().any(|e| e["field"] == field));
        ensure!(named, "{what} does not name {field}: {body}");
    }
    Ok(())
}

/// How much has happened in the organization, by its transfers.
async fn transfers(product: &Product) -> Result<usize> {
    Ok(product.client.transfers(None).await?.items.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_transfers_should_be_refused_and_change_nothing() -> Result<()> {
    let product = Setup::new()?.start()?;
    let from = product.vault("Operations").await?;
    let to = address(&product.vault("Payouts").await?)?;
    product.balance_is(&account(&from)?, |wei| wei > ETHER).await?;
    let lower = to.to_lowercase();
    let broken = format!(
        "{}{}",
        &to[..to.len() - 1],
        if to.ends_with('1') { '2' } else { '1' }
    );
    let good = json!({ "vaultId": from.id, "asset": ETH, "amount": "1", "destination": to });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let two_to_256 = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let cases = [
        (
            "unknown asset",
            with("asset", json!("eip155:31337/slip44:999")),
            refusal(422, "unknown-asset", Some("asset")),
        ),
        (
            "unknown chain",
            with("asset", json!("eip155:999/slip44:60")),
            refusal(422, "unknown-asset", Some("asset")),
        ),
        (
            "wrong checksum",
            with("destination", json!(broken)),
            refusal(422, "invalid-checksum", Some("destination")),
        ),
        (
            "no address",
            with("destination", json!("0x12")),
            refusal(422, "invalid-address", Some("destination")),
        ),
        (
            "zero",
            with("amount", json!("0")),
            refusal(422, "invalid-amount", Some("amount")),
        ),
        (
            "negative",
            with("amount", json!("-1")),
            refusal(422, "invalid-amount", Some("amount")),
        ),
        (
            "fraction",
            with("amount", json!("1.5")),
            refusal(422, "invalid-amount", Some("amount")),
        ),
        (
            "2^256",
            with("amount", json!(two_to_256)),
            refusal(422, "invalid-amount", Some("amount")),
        ),
        (
            "too much",
            with("amount", json!((200 * ETHER).to_string())),
            refusal(422, "insufficient-funds", Some("amount")),
        ),
        (
            "unknown field",
            with("nonsense", json!(1)),
            refusal(400, "unknown-field", Some("nonsense")),
        ),
        (
            "foreign vault",
            with("vaultId", json!("vlt_0000000000e0000000000000000")),
            refusal(400, "invalid-field", None),
        ),
    ];
    let http = reqwest::Client::new();
    let before = transfers(&product).await?;
    for (n, (what, body, expected)) in cases.iter().enumerate() {
        let sent = http
            .post(format!("{}/v1/transfers", product.base))
            .bearer_auth(&product.key)
            .header("idempotency-key", format!("bad-{n}"))
            .json(body)
            .send()
            .await?;
        let got = answer(sent).await?;
        if *what == "unknown chain" {
            ensure!(
                got.0 == 422 && (got.1["code"] == "unknown-chain" || got.1["code"] == "unknown-asset"),
                "{got:?}"
            );
        } else if *what == "foreign vault" {
            ensure!(got.0 == 404 || got.0 == 400, "{got:?}");
        } else {
            check(what, &got, expected)?;
        }
    }
    let missing = http
        .post(format!("{}/v1/transfers", product.base))
        .bearer_auth(&product.key)
        .json(&good)
        .send()
        .await?;
    check(
        "no key",
        &answer(missing).await?,
        &refusal(400, "idempotency-key-required", Some("Idempotency-Key")),
    )?;
    ensure!(
        transfers(&product).await? == before,
        "a refused request changed something"
    );

    let fine = with("destination", json!(lower));
    let sent = http
        .post(format!("{}/v1/transfers", product.base))
        .bearer_auth(&product.key)
        .header("idempotency-key", "lower-case")
        .json(&fine)
        .send()
        .await?;
    ensure!(
        sent.status() == 202,
        "an address without a checksum is fine: {}",
        sent.text().await?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_should_be_refused_at_the_edge() -> Result<()> {
    let product = Setup::new()?.start()?;
    let http = reqwest::Client::new();
    let post = |body: Vec<u8>| {
        http.post(format!("{}/v1/transfers", product.base))
            .bearer_auth(&product.key)
            .header("idempotency-key", "hostile")
            .header("content-type", "application/json")
            .body(body)
    };
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    check(
        "10,000 deep",
        &answer(post(deep.into_bytes()).send().await?).await?,
        &refusal(400, "invalid-json", None),
    )?;
    let garbled = answer(post(vec![b'"', 0xff, 0xfe, b'"']).send().await?).await?;
    check("invalid UTF-8", &garbled, &refusal(400, "invalid-json", None))?;
    match post(vec![b' '; 10 * 1024 * 1024]).send().await {
        Ok(response) => check(
            "10 MB",
            &answer(response).await?,
            &refusal(413, "body-too-large", None),
        )?,
        // The server may answer and close while the body is still being sent.
        Err(error) => ensure!(error.is_request() || error.is_body(), "{error}"),
    }
    let host = http
        .get(format!("{}/v1/chains", product.base))
        .bearer_auth(&product.key)
        .header("host", "evil.example");
    check(
        "wrong Host",
        &answer(host.send().await?).await?,
        &refusal(421, "host-not-allowed", None),
    )?;
    let origin = post(b"{}".to_vec()).header("origin", "https://evil.example");
    check(
        "wrong Origin",
        &answer(origin.send().await?).await?,
        &refusal(403, "origin-not-allowed", None),
    )?;
    let stranger = http.get(format!("{}/v1/vaults", product.base));
    check(
        "no credential",
        &answer(stranger.send().await?).await?,
        &refusal(401, "unauthenticated", None),
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_narrow_keys_should_be_told_so() -> Result<()> {
    let product = Setup::new()?.start()?;
    let body = json!({ "name": "narrow", "scopes": ["vaults:read"] });
    let issued: Value = product
        .client
        .post("/v1/api-keys", &body, Default::default())
        .await?
        .body;
    let (id, secret) = (
        issued["id"].as_str().context("an id")?,
        issued["key"].as_str().or(issued["secret"].as_str()),
    );
    let secret = secret
        .with_context(|| format!("the key is shown once: {issued}"))?
        .to_owned();
    let http = reqwest::Client::new();
    let read = || {
        http.get(format!("{}/v1/vaults", product.base))
            .bearer_auth(&secret)
    };
    ensure!(read().send().await?.status() == 200);
    let denied = http
        .post(format!("{}/v1/vaults", product.base))
        .bearer_auth(&secret)
        .json(&json!({ "name": "x", "chains": [] }))
        .send()
        .await?;
    let got = answer(denied).await?;
    check("narrow key", &got, &refusal(403, "scope-missing", None))?;
    ensure!(
        got.1.to_string().contains("vaults:write"),
        "the missing scope is not named: {}",
        got.1
    );

    let revoked = http
        .delete(format!("{}/v1/api-keys/{id}", product.base))
        .bearer_auth(&product.key);
    let status = revoked.json(&json!({ "reason": "test" })).send().await?.status();
    ensure!(status.is_success(), "{status}");
    let begun = std::time::Instant::now();
    while read().send().await?.status() != 401 {
        ensure!(
            begun.elapsed().as_millis() < 1_000,
            "the revoked key still works after a second"
        );
    }
    Ok(())
}
