//! What a chain can do to a transfer on its way: silence after accepting, a lost transaction, a detached block.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vaultstream_event_schemas::ExecutionStatus;

use crate::chain::Chain;
use crate::product::{ETHER, Product, Setup, address, until};

/// The destination of these tests: an address nobody here has a key for.
pub const SOMEWHERE: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

async fn execution_is(product: &Product, id: &str, wanted: &[ExecutionStatus]) -> Result<String> {
    until("the execution gets there", || async {
        let transfer = product.client.transfer(id).await?.body;
        let execution = transfer.executions.first();
        Ok(execution
            .filter(|e| wanted.contains(&e.status))
            .and_then(|e| e.txid.clone()))
    })
    .await
}

async fn paid_once(product: &Product, chain: &Chain, id: &str, from: &str) -> Result<()> {
    product.completed(id).await?;
    ensure!(
        chain.balance(SOMEWHERE).await? == ETHER,
        "paid another amount than once"
    );
    ensure!(
        chain.sent(from).await? == 1,
        "more than one transaction was included"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_after_accepting_should_end_in_one_payment() -> Result<()> {
    let chain = Chain::sandbox()?;
    let product = Setup::new()?.with_config(chain.config()).start()?;
    let from = product.new_vault("Silent", 3 * ETHER).await?;
    chain.control("sandbox_timeoutAfterAccept", json!([1])).await?;
    let id = product.transfer(&from, SOMEWHERE, ETHER, "silence").await?;
    paid_once(&product, &chain, &id, &address(&from)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_transaction_should_be_sent_again_with_the_same_bytes() -> Result<()> {
    let chain = Chain::sandbox()?;
    let product = Setup::new()?.with_config(chain.config()).start()?;
    let from = product.new_vault("Lost", 3 * ETHER).await?;
    chain.control("sandbox_setAutomine", json!([false])).await?;
    let id = product.transfer(&from, SOMEWHERE, ETHER, "lost").await?;
    let sent = [ExecutionStatus::Broadcasting, ExecutionStatus::Seen];
    let txid = execution_is(&product, &id, &sent).await?;
    chain.control("sandbox_dropTransaction", json!([txid])).await?;
    ensure!(
        chain
            .rpc("eth_getTransactionByHash", json!([txid]))
            .await?
            .is_null(),
        "the pool still has it"
    );
    chain.control("sandbox_setAutomine", json!([true])).await?;
    paid_once(&product, &chain, &id, &address(&from)?).await?;
    let done = product.client.transfer(&id).await?.body;
    ensure!(
        done.executions.first().and_then(|e| e.txid.clone()) == Some(txid),
        "other bytes were sent"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_block_should_not_change_the_outcome() -> Result<()> {
    let chain = Chain::sandbox()?;
    let product = Setup::new()?.with_config(chain.config()).start()?;
    let from = product.new_vault("Detached", 3 * ETHER).await?;
    // What the faucet gave must not be in the blocks that are detached.
    chain.advance(5).await?;
    chain.control("sandbox_setBlockTime", json!([1_500])).await?;
    let id = product.transfer(&from, SOMEWHERE, ETHER, "detached").await?;
    execution_is(&product, &id, &[ExecutionStatus::Included]).await?;
    chain
        .control("sandbox_reorg", json!([{ "depth": 2, "dropTransactions": true }]))
        .await?;
    paid_once(&product, &chain, &id, &address(&from)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn product_should_go_on_where_it_was_when_it_or_its_node_was_away() -> Result<()> {
    let chain = Chain::sandbox()?;
    let setup = Setup::new()?.with_config(chain.config());
    let mut product = setup.start()?;
    let from = product.new_vault("Restart", 3 * ETHER).await?;
    chain.control("sandbox_setAutomine", json!([false])).await?;
    let id = product.transfer(&from, SOMEWHERE, ETHER, "restart").await?;
    execution_is(
        &product,
        &id,
        &[ExecutionStatus::Broadcasting, ExecutionStatus::Seen],
    )
    .await?;
    product.process.kill();
    chain.control("sandbox_setAutomine", json!([true])).await?;
    chain.advance(3).await?;
    chain.control("sandbox_refuseConnections", json!([1_500])).await?;
    let product = setup.start()?;
    paid_once(&product, &chain, &id, &address(&from)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_use_of_the_key_should_end_the_transfer_with_its_proof() -> Result<()> {
    // Nobody outside can sign with the account's key, so the chain itself consumes the slot: a second product that was
    // restored from a copy of the first one's keys and log sends another payment with the same nonce.
    let chain = Chain::sandbox()?;
    let setup = Setup::new()?.with_config(chain.config());
    let mut first = setup.start()?;
    let from = first.new_vault("Cloned", 5 * ETHER).await?;
    first.process.kill();
    let copy = Setup::new()?.with_config(chain.config());
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(setup.data_dir())
        .arg(copy.data_dir())
        .status()?;
    ensure!(status.success(), "the data directory could not be copied");

    chain.control("sandbox_setAutomine", json!([false])).await?;
    let first = setup.start()?;
    let ours = first.transfer(&from, SOMEWHERE, ETHER, "ours").await?;
    let txid = execution_is(
        &first,
        &ours,
        &[ExecutionStatus::Broadcasting, ExecutionStatus::Seen],
    )
    .await?;
    chain
        .control("sandbox_refuseConnections", json!([0]))
        .await
        .context("the sandbox is there")?;
    drop(first);
    chain.control("sandbox_dropTransaction", json!([txid])).await?;
    let second = copy.start()?;
    let theirs = second.transfer(&from, SOMEWHERE, 2 * ETHER, "theirs").await?;
    chain.control("sandbox_setAutomine", json!([true])).await?;
    second.completed(&theirs).await?;
    drop(second);

    let first = setup.start()?;
    let over = first.over(&ours).await?;
    let failure = over.failure.context("it failed")?;
    ensure!(
        failure.code.is_some_and(|c| c.as_str() == "slot-taken"),
        "{failure:?}"
    );
    ensure!(
        chain.balance(SOMEWHERE).await? == 2 * ETHER,
        "only the other payment moved money"
    );
    Ok(())
}
