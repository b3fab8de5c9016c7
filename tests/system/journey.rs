//! A transfer from command to finality, on the product's own sandbox and on anvil.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vaultstream_event_schemas::{ExecutionStatus, TransferStatus};

use crate::chain::Chain;
use crate::product::{ETH, ETHER, Product, Setup, account, address};

const TIMELINE: &str = "query($id: ID!) { transfer(id: $id) { status timeline(last: 50) { nodes { sequence type position hash } } } }";

async fn graphql(product: &Product, query: &str, variables: Value) -> Result<Value> {
    let answer: Value = reqwest::Client::new()
        .post(format!("{}/graphql", product.base))
        .bearer_auth(&product.key)
        .json(&json!({ "query": query, "variables": variables }))
        .send()
        .await?
        .json()
        .await?;
    ensure!(answer.get("errors").is_none(), "{answer}");
    Ok(answer["data"].clone())
}

async fn send_and_check(product: &Product) -> Result<()> {
    let from = product.new_vault("Journey from", 3 * ETHER).await?;
    let to = product.new_vault("Journey to", 0).await?;
    let id = product
        .transfer(&from, &address(&to)?, ETHER, "journey-1")
        .await?;
    let done = product.completed(&id).await?;

    let execution = done.executions.first().context("an execution carried it")?;
    ensure!(execution.status == ExecutionStatus::Finalized, "{execution:?}");
    ensure!(
        execution.attempts == 1 && execution.txid.is_some(),
        "{execution:?}"
    );
    ensure!(execution.confirmations.is_some_and(|c| c >= 1), "{execution:?}");
    ensure!(done.amount.asset.as_str() == ETH && done.amount.minor.to_u128() == Some(ETHER));

    product.balance_is(&account(&to)?, |wei| wei == ETHER).await?;
    product
        .balance_is(&account(&from)?, |wei| {
            wei < 2 * ETHER && wei > 2 * ETHER - ETHER / 100
        })
        .await?;

    let data = graphql(product, TIMELINE, json!({ "id": id })).await?;
    let timeline = data["transfer"]["timeline"]["nodes"]
        .as_array()
        .context("a timeline")?;
    let types: Vec<_> = timeline.iter().filter_map(|e| e["type"].as_str()).collect();
    for expected in ["transfer.requested", "transfer.screened", "transfer.completed"] {
        ensure!(types.contains(&expected), "{expected} is not in {types:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_should_complete_on_the_sandbox() -> Result<()> {
    let product = Setup::new()?.start()?;
    send_and_check(&product).await?;
    let again = product.vault("Operations").await?;
    ensure!(
        product
            .balance_is(&account(&again)?, |wei| wei == 100 * ETHER)
            .await?
            == 100 * ETHER
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_should_complete_on_anvil() -> Result<()> {
    let chain = Chain::anvil()?;
    let product = Setup::new()?.with_config(chain.config()).start()?;
    send_and_check(&product).await
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_should_wait_for_approval_when_the_organization_asks_for_one() -> Result<()> {
    let product = Setup::new()?.start()?;
    let from = product.vault("Operations").await?;
    let to = product.vault("Payouts").await?;
    let organization = from.organization_id.to_string();
    let path = format!("/v1/organizations/{organization}");
    let read = product.client.get::<Value>(&path, Default::default()).await?;
    let with = vaultstream_client::http::With {
        if_match: read.etag.as_deref(),
        ..Default::default()
    };
    let change = json!({ "approval": "one" });
    product
        .client
        .send::<_, Value>(reqwest::Method::PATCH, &path, Some(&change), with)
        .await?;
    product.balance_is(&account(&from)?, |wei| wei > ETHER).await?;

    let approved = product
        .transfer(&from, &address(&to)?, ETHER, "approve-1")
        .await?;
    let denied = product.transfer(&from, &address(&to)?, ETHER, "deny-1").await?;
    for id in [&approved, &denied] {
        crate::product::until("the transfer waits for approval", || async {
            let status = product.client.transfer(id).await?.body.status;
            Ok((status == TransferStatus::AwaitingApproval).then_some(()))
        })
        .await?;
    }
    let stale = product
        .client
        .decide_transfer(&approved, "approve", "\"1\"", None)
        .await;
    ensure!(crate::product::problem(stale)?.code.as_str() == "precondition-failed");
    let etag = product
        .client
        .transfer(&approved)
        .await?
        .etag
        .context("an ETag")?;
    product
        .client
        .decide_transfer(&approved, "approve", &etag, None)
        .await?;
    let etag = product.client.transfer(&denied).await?.etag.context("an ETag")?;
    product
        .client
        .decide_transfer(&denied, "deny", &etag, Some("unknown payee"))
        .await?;
    product.completed(&approved).await?;
    ensure!(product.over(&denied).await?.status == TransferStatus::Rejected);
    Ok(())
}
