//! What a refusal must say, and proof that nothing was written: the log's heads as `/health/ready` shows them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::product::{Product, until};

/// How long the log must rest before anything is compared with it.
const REST: Duration = Duration::from_secs(2);

/// A refusal as it has to be.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
}

/// A refusal with a status, a code, and the field that it names, if any.
pub const fn refusal(status: u16, code: &'static str, field: Option<&'static str>) -> Refusal {
    Refusal { status, code, field }
}

impl Refusal {
    /// Checks an answer: status, media type, code, remedy, the page about it, and the field that is named.
    pub async fn check(&self, what: &str, answer: reqwest::Response) -> Result<Value> {
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type");
        let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let body: Value = answer
            .json()
            .await
            .with_context(|| format!("{what}: {status}, {kind}"))?;
        ensure!(
            kind.starts_with("application/problem+json"),
            "{what}: {kind}: {body}"
        );
        ensure!(
            (status, body["status"].as_u64()) == (self.status, Some(self.status.into())),
            "{what}: {status}, wanted {}: {body}",
            self.status
        );
        ensure!(body["code"] == self.code, "{what}, wanted {}: {body}", self.code);
        for text in ["remedy", "detail", "requestId"] {
            ensure!(
                body[text].as_str().is_some_and(|t| !t.is_empty()),
                "{what} has no {text}: {body}"
            );
        }
        ensure!(
            body["type"] == format!("/docs/errors/{}", self.code),
            "{what}: {body}"
        );
        let named = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        match self.field {
            Some(field) => ensure!(
                named.len() == 1 && named[0]["field"] == field && named[0]["code"] == self.code,
                "{what} does not name {field}: {body}"
            ),
            None => ensure!(named.is_empty(), "{what} names a field: {body}"),
        }
        Ok(body)
    }
}

/// Where the log stands: its head, by view and family, as the product itself says.
pub type Heads = BTreeMap<String, u64>;

/// The log's heads now.
pub async fn heads(product: &Product) -> Result<Heads> {
    let ready: Value = reqwest::get(format!("{}/health/ready", product.base))
        .await?
        .json()
        .await?;
    let views = ready["views"]
        .as_array()
        .with_context(|| format!("views: {ready}"))?;
    let heads: Option<Heads> = views
        .iter()
        .map(|view| {
            let name = format!("{} in {}", view["view"].as_str()?, view["family"].as_str()?);
            Some((name, view["head"].as_u64()?))
        })
        .collect();
    let heads = heads.with_context(|| format!("heads: {ready}"))?;
    ensure!(
        heads.values().sum::<u64>() > 0,
        "an empty log proves nothing: {ready}"
    );
    Ok(heads)
}

/// Waits until what is under way has ended and the log rests; answers where.
pub async fn rested(product: &Product) -> Result<Heads> {
    until("the log rests", || async {
        let before = heads(product).await?;
        tokio::time::sleep(REST).await;
        Ok((heads(product).await? == before).then_some(before))
    })
    .await
}

/// Refuses when anything was appended since.
pub async fn unchanged(product: &Product, since: &Heads) -> Result<()> {
    let now = heads(product).await?;
    ensure!(&now == since, "something was appended: {since:?}, now {now:?}");
    Ok(())
}
