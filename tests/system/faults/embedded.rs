//! The embedded product, its node and its clients: what is between them is slow, cut, half open; and the process is frozen.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vaultstream_client::Vault;
use vaultstream_client::http::Client;
use vaultstream_rig::{Link, Weather};

use super::chain::SOMEWHERE;
use super::lines;
use crate::chain::Chain;
use crate::product::{ETHER, Product, Setup, address, transfer_body, until};

/// What each line pays.
const WEI: u128 = ETHER / 1_000;

/// One product, with a link to its node and one to its door.
pub struct World {
    chain: Chain,
    product: Product,
    node: Link,
    door: Link,
    /// A client beyond the second link.
    far: Client,
    from: Vault,
    paid: u128,
}

lines! { World;
    embedded_node_link_slow,
    embedded_node_link_cut,
    embedded_node_link_half_open,
    embedded_client_link_slow,
    embedded_client_link_cut,
    embedded_process_frozen,
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_links() -> Result<()> {
    run(&mut World::start().await?).await
}

impl World {
    async fn start() -> Result<Self> {
        let chain = Chain::sandbox()?;
        let real = chain
            .rpc
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let node = Link::to(&real).await?;
        let config = chain.config().replace(&real, &node.address().to_string());
        let product = Setup::new()?.with_config(config).start()?;
        let door = Link::to(product.base.trim_start_matches("http://")).await?;
        let far = Client::try_new(&format!("http://{}", door.address()), Some(&product.key))?;
        let from = product.new_vault("Links", 3 * ETHER).await?;
        Ok(Self {
            chain,
            product,
            node,
            door,
            far,
            from,
            paid: 0,
        })
    }

    /// After a line that failed.
    fn mend(&self) -> Result<()> {
        self.node.heal();
        self.door.heal();
        self.product.process.thaw()
    }

    async fn asks(&self, key: &str) -> Result<String> {
        Ok(self.product.transfer(&self.from, SOMEWHERE, WEI, key).await?)
    }

    /// They complete, and everything that was asked for so far was paid once; nothing else is under way.
    async fn pays_once(&mut self, ids: &[&str]) -> Result<()> {
        for id in ids {
            self.product.completed(id).await?;
            self.paid += 1;
        }
        ensure!(
            self.chain.balance(SOMEWHERE).await? == self.paid * WEI,
            "paid another amount than once"
        );
        let sent = self.chain.sent(&address(&self.from)?).await?;
        ensure!(
            sent == self.paid,
            "{sent} transactions for {} transfers",
            self.paid
        );
        Ok(())
    }

    /// The age of the chain's head, in ms, as the product tells it while it is ready.
    async fn head_age_ms(&self) -> Result<u64> {
        let answer = reqwest::get(format!("{}/health/ready", self.product.base)).await?;
        ensure!(
            answer.status() == 200,
            "a node that is away makes nobody unready: {answer:?}"
        );
        let body: Value = answer.json().await?;
        body["chains"][0]["ageMs"]
            .as_u64()
            .with_context(|| body.to_string())
    }
}

async fn embedded_node_link_slow(world: &mut World) -> Result<()> {
    world.node.weather(Weather::Slow(Duration::from_millis(80)));
    let id = world.asks("node-slow").await?;
    world.pays_once(&[&id]).await?;
    world.node.heal();
    Ok(())
}

async fn embedded_node_link_cut(world: &mut World) -> Result<()> {
    world.node.weather(Weather::Cut);
    // Commands are taken and read as ever.
    let id = world.asks("node-cut").await?;
    world.product.vault("Operations").await?;
    until("the head grows old and is told", || async {
        Ok((world.head_age_ms().await? > 1_500).then_some(()))
    })
    .await?;
    let mut asked = transfer_body(&world.from, SOMEWHERE, "1");
    asked.dry_run = Some(true);
    let preview = world.product.client.preview_transfer(&asked).await?;
    ensure!(preview.fee.is_none(), "nobody can have quoted a fee: {preview:?}");
    let waits = world.product.client.transfer(&id).await?.body;
    ensure!(!waits.status.is_terminal(), "it waits for its chain: {waits:?}");
    world.node.heal();
    world.pays_once(&[&id]).await
}

async fn embedded_node_link_half_open(world: &mut World) -> Result<()> {
    let id = world.asks("node-half-open").await?;
    world.node.half_open();
    world.pays_once(&[&id]).await
}

async fn embedded_client_link_slow(world: &mut World) -> Result<()> {
    // A request takes seconds to arrive; others do not wait for it.
    world.door.weather(Weather::Narrow(600));
    let body = transfer_body(&world.from, SOMEWHERE, &WEI.to_string());
    let (far, sent) = (world.far.clone(), body.clone());
    let slow = tokio::spawn(async move { far.request_transfer(&sent, "client-slow").await });
    let near = world.asks("client-near").await?;
    ensure!(!slow.is_finished(), "the link is not slow");
    let id = slow.await??.body.id.to_string();
    world.door.heal();
    world.pays_once(&[&near, &id]).await
}

async fn embedded_client_link_cut(world: &mut World) -> Result<()> {
    // The command arrives, its answer does not: the same key learns the outcome.
    world.door.weather(Weather::Mute);
    let body = transfer_body(&world.from, SOMEWHERE, &WEI.to_string());
    let (far, sent) = (world.far.clone(), body.clone());
    let asking = tokio::spawn(async move { far.request_transfer(&sent, "client-cut").await });
    let before = world.paid;
    until("the command had its effect", || async {
        let page = world.product.client.transfers(None).await?;
        Ok((page.items.len() as u128 > before).then_some(()))
    })
    .await?;
    world.door.weather(Weather::Cut);
    let unclear = asking.await?;
    ensure!(
        matches!(unclear, Err(vaultstream_client::ClientError::Connection(_))),
        "an answer came: {unclear:?}"
    );
    world.door.heal();
    let answer = world.far.request_transfer(&body, "client-cut").await?;
    ensure!(answer.replayed, "the first answer is given again: {answer:?}");
    world.pays_once(&[&answer.body.id.to_string()]).await
}

async fn embedded_process_frozen(world: &mut World) -> Result<()> {
    world.product.process.freeze()?;
    let client = world.product.client.clone();
    let body = transfer_body(&world.from, SOMEWHERE, &WEI.to_string());
    let asking = tokio::spawn(async move { client.request_transfer(&body, "frozen").await });
    // Longer than a lease of its own lasts.
    tokio::time::sleep(Duration::from_secs(11)).await;
    ensure!(!asking.is_finished(), "somebody answered");
    world.product.process.thaw()?;
    let id = asking.await??.body.id.to_string();
    world.pays_once(&[&id]).await
}
