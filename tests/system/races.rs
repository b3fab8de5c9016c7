//! Many at once: two requests for one balance, a hundred from one account, one key a thousand times.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use vaultstream_event_schemas::TransferStatus;

use crate::product::{ETHER, Setup, account, address, problem, transfer_body};

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_for_one_balance_should_end_in_one_payment() -> Result<()> {
    let product = Setup::new()?.start()?;
    let from = product.new_vault("Race", 2 * ETHER).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let wanted = 3 * ETHER / 2;
    let (a, b) = tokio::join!(
        product.transfer(&from, &to, wanted, "race-a"),
        product.transfer(&from, &to, wanted, "race-b")
    );
    let mut completed = 0;
    let mut lost = 0;
    for result in [a, b] {
        match result {
            Ok(id) => {
                let over = product.over(&id).await?;
                match over.status {
                    TransferStatus::Completed => completed += 1,
                    TransferStatus::Failed => {
                        let code = over
                            .failure
                            .and_then(|f| f.code)
                            .context("a failure has its code")?;
                        ensure!(code.as_str() == "insufficient-funds", "{code}");
                        lost += 1;
                    }
                    other => anyhow::bail!("ended as {other}"),
                }
            }
            // The second may also come so late that the first has reserved: then it is refused at the door.
            Err(error) => {
                ensure!(problem::<()>(Err(error))?.code.as_str() == "insufficient-funds");
                lost += 1;
            }
        }
    }
    ensure!((completed, lost) == (1, 1), "{completed} completed, {lost} lost");
    let left = product.balance_is(&account(&from)?, |wei| wei < ETHER).await?;
    let behind = product.transfer(&from, &to, left / 2, "behind").await?;
    product
        .completed(&behind)
        .await
        .context("something is stuck behind the loser")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_transfers_of_one_account_should_all_complete() -> Result<()> {
    let product = Setup::new()?.start()?;
    let from = product.new_vault("Hundred", 10 * ETHER).await?;
    let to = product.new_vault("Hundred to", 0).await?;
    let destination = address(&to)?;
    let each = ETHER / 100;
    let keys: Vec<_> = (0..100).map(|n| format!("hundred-{n}")).collect();
    let requested = join_all(
        keys.iter()
            .map(|key| product.transfer(&from, &destination, each, key)),
    )
    .await;
    let ids: Vec<String> = requested.into_iter().collect::<Result<_, _>>()?;
    let mut transactions = BTreeSet::new();
    for id in &ids {
        let done = product.completed(id).await?;
        transactions.insert(
            done.executions
                .first()
                .and_then(|e| e.txid.clone())
                .context("a transaction")?,
        );
    }
    ensure!(
        transactions.len() == 100,
        "{} transactions for 100 transfers",
        transactions.len()
    );
    product
        .balance_is(&account(&to)?, |wei| wei == 100 * each)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_many_times_should_make_one_transfer() -> Result<()> {
    let product = Setup::new()?.start()?;
    let from = product.new_vault("Same", 2 * ETHER).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let body = transfer_body(&from, &to, &(ETHER / 10).to_string());
    let answers = join_all((0..200).map(|_| product.client.request_transfer(&body, "the-same"))).await;
    let ids: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.map(|a| a.body.id.to_string()))
        .collect::<Result<_, _>>()?;
    ensure!(ids.len() == 1, "{ids:?}");
    let other = transfer_body(&from, &to, &(ETHER / 20).to_string());
    let reused = problem(product.client.request_transfer(&other, "the-same").await)?;
    ensure!(reused.code.as_str() == "idempotency-key-reused", "{reused:?}");
    let id = ids.first().context("one id")?;
    product.completed(id).await?;
    product
        .balance_is(&account(&from)?, |wei| {
            wei > ETHER * 18 / 10 && wei < ETHER * 19 / 10 + 1
        })
        .await?;
    Ok(())
}
