//! A process that dies at a durable boundary of the saga: the next start finishes the work, and pays once.

use anyhow::{Context, Result, ensure};

use crate::chain::Chain;
use crate::product::{ETHER, Setup, account, address};

const SOMEWHERE: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

async fn dies_at(boundary: &str) -> Result<()> {
    let chain = Chain::sandbox()?;
    let setup = Setup::new()?.with_config(chain.config());
    let from = {
        let product = setup.start()?;
        product.new_vault("Boundary", 3 * ETHER).await?
    };
    let mut product = setup.clone().with_env("VAULTSTREAM_HALT_AT", boundary).start()?;
    product
        .balance_is(&account(&from)?, |wei| wei == 3 * ETHER)
        .await?;
    let id = product.transfer(&from, SOMEWHERE, ETHER, "boundary").await?;
    let ended = product
        .process
        .wait_for_end()
        .await
        .with_context(|| format!("the boundary {boundary} was never passed"))?;
    ensure!(!ended.success(), "the process was to die at {boundary}");

    let product = setup.start()?;
    product.completed(&id).await?;
    ensure!(
        chain.balance(SOMEWHERE).await? == ETHER,
        "{boundary}: paid another amount than once"
    );
    ensure!(
        chain.sent(&address(&from)?).await? == 1,
        "{boundary}: more than one transaction was included"
    );
    // The account is not left with a commitment: what remains can be spent.
    let left = product
        .balance_is(&account(&from)?, |wei| wei < 2 * ETHER)
        .await?;
    let id = product
        .transfer(&from, SOMEWHERE, left - ETHER / 100, "the-rest")
        .await?;
    product.completed(&id).await?;
    Ok(())
}

macro_rules! boundaries {
    ($($name:ident = $boundary:literal;)+) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() -> Result<()> {
            dies_at($boundary).await
        }
    )+ };
}

boundaries! {
    death_after_queued_should_pay_once = "queued";
    death_after_reserve_should_pay_once = "reserved";
    death_after_bind_should_pay_once = "bound";
    death_between_signature_and_append_should_pay_once = "signature-made";
    death_after_sign_should_pay_once = "signed";
    death_between_send_and_append_should_pay_once = "sent";
    death_after_broadcast_should_pay_once = "broadcast";
    death_after_inclusion_should_pay_once = "included";
    death_after_finality_should_pay_once = "finalized";
}
