//! The front door of the embedded product under load: the real binary, a real key, 256 connections, transfers that rest
//! in `awaiting_approval`.
//!
//! Also how soon it is ready with empty data, how soon the first transfer is final, what it holds while idle, and what
//! becomes of 10,000 requests at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::line::BenchLine;
use crate::load::{self, Target};
use crate::product::{Product, caught_up};
use crate::tenant::{self, ASSET};

/// Connections that ask as fast as they can.
pub const CONNECTIONS: u64 = 256;
/// What is not counted yet.
pub const WARM: Duration = Duration::from_secs(2);
/// What is counted.
pub const MEASURED: Duration = Duration::from_secs(8);
/// Requests that come at the same moment.
pub const AT_ONCE: u64 = 10_000;
const STEADY_PER_SECOND: u64 = 1_000;

/// A vault of the demo, once its account is open and its balance read.
async fn vault(product: &Product, name: &str) -> Result<Value> {
    loop {
        let (page, _) = product.call(Method::GET, "/v1/vaults", &[], None).await?;
        let vaults = page["items"].as_array();
        let found = vaults.and_then(|v| v.iter().find(|v| v["name"] == name));
        if let Some(vault) = found.filter(|v| v["accounts"][0]["address"].is_string()) {
            let account = format!("/v1/accounts/{}", text(&vault["accounts"][0]["id"])?);
            let (account, _) = product.call(Method::GET, &account, &[], None).await?;
            if account["balances"].as_array().is_some_and(|b| !b.is_empty()) {
                return Ok(vault.clone());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("a text")
}

/// Seconds from *ready* until the first transfer is final.
async fn first_final(product: &Product) -> Result<f64> {
    let (from, to) = (
        vault(product, "Operations").await?,
        vault(product, "Payouts").await?,
    );
    let body = json!({
        "vaultId": from["id"], "asset": ASSET, "amount": "1", "destination": to["accounts"][0]["address"],
    });
    let key = [("idempotency-key", "first")];
    let (accepted, _) = product
        .call(Method::POST, "/v1/transfers", &key, Some(body))
        .await?;
    let path = format!("/v1/transfers/{}", text(&accepted["id"])?);
    loop {
        // The views may need a moment to know it.
        if let Ok((transfer, _)) = product.call(Method::GET, &path, &[], None).await {
            match text(&transfer["status"])? {
                "completed" => return Ok(product.ready_at.elapsed().as_secs_f64()),
                status @ ("failed" | "rejected" | "cancelled" | "expired") => {
                    anyhow::bail!("the first transfer ended as {status}: {transfer}")
                }
                _ => {}
            }
        }
        ensure!(
            product.ready_at.elapsed() < Duration::from_secs(120),
            "the first transfer is not final after two minutes"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes transfers wait for approval; answers the body of a request for one.
async fn prepare(product: &Product) -> Result<String> {
    let vault = vault(product, "Operations").await?;
    let path = format!("/v1/organizations/{}", text(&vault["organizationId"])?);
    let (_, etag) = product.call(Method::GET, &path, &[], None).await?;
    let etag = etag.context("an organization has a version")?;
    let approval = json!({ "approval": "one" });
    product
        .call(Method::PATCH, &path, &[("if-match", &etag)], Some(approval))
        .await?;
    let id = text(&vault["id"])?;
    Ok(tenant::body(id))
}

/// Requests transfers; `name` keeps the keys of one row apart from those of another.
pub fn transfers(address: &str, key: &str, body: &str, name: &str) -> Target {
    let [to, key, body, name] = [address, key, body, name].map(str::to_owned);
    Target {
        address: address.to_owned(),
        make: Arc::new(move |worker, n| {
            load::post(&to, &key, "/v1/transfers", &format!("{name}-{worker}-{n}"), &body)
        }),
        status: 202,
    }
}

/// Sends [`AT_ONCE`] requests for transfers at the same moment: how many had no answer, a bad one, or one that another
/// had, too.
pub async fn at_once(target: &Target) -> Result<f64> {
    let asked = load::at_once(target, AT_ONCE).await?;
    for (why, error) in (0..5).zip(&asked.bad) {
        eprintln!("not answered well, {why}: {error}");
    }
    let mut named = BTreeSet::new();
    for body in &asked.good {
        let body: Value = serde_json::from_slice(body)?;
        named.insert(text(&body["id"])?.to_owned());
    }
    eprintln!(
        "{AT_ONCE} requests at once: {} accepted, {} transfers, the last after {:.1?}",
        asked.good.len(),
        named.len(),
        asked.took
    );
    Ok(load::as_f64(AT_ONCE - u64::try_from(named.len())?))
}

/// Measures all of it.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let product = Product::start()?;
    out.push(BenchLine::at_most(
        "ready after start, empty data",
        product.ready_ms,
        "ms",
        500.0,
    ));
    let seconds = first_final(&product).await?;
    out.push(BenchLine::at_most(
        "first transfer final after ready",
        seconds,
        "s",
        30.0,
    ));
    let body = prepare(&product).await?;
    let target = |name| transfers(&product.address, &product.key, &body, name);
    tokio::time::sleep(Duration::from_secs(2)).await;
    out.push(BenchLine::at_most(
        "resident while idle",
        product.process.resident_mb()?,
        "MB",
        150.0,
    ));
    let p99 = load::steady(&target("steady"), STEADY_PER_SECOND, MEASURED).await?;
    out.push(BenchLine::at_most(
        "POST /v1/transfers p99 at 1,000/s",
        p99,
        "ms",
        50.0,
    ));
    let before = caught_up(&product.address).await?;
    let begun = Instant::now();
    let (rate, _) = load::flat_out(&target("flat"), CONNECTIONS, WARM, MEASURED).await?;
    out.push(BenchLine::at_least(
        "POST /v1/transfers acknowledged, 256 connections",
        rate,
        "1/s",
        10_000.0,
    ));
    let after = caught_up(&product.address).await?;
    let folded = load::as_f64(after - before) / begun.elapsed().as_secs_f64();
    out.push(BenchLine::at_least(
        "events folded while and after that load",
        folded,
        "1/s",
        0.0,
    ));
    let lost = at_once(&target("once")).await?;
    out.push(BenchLine::at_most(
        "10,000 concurrent POST /v1/transfers: refused, failed or lost",
        lost,
        "requests",
        0.0,
    ));
    Ok(())
}
