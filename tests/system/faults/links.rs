//! What is between the cluster's processes and its engines is slow, cut, half open.
//!
//! *Slow* is 20 ms more each way, for every message: a site in another city. *Cut* resets connections and refuses new
//! ones. *Half open* is what a vanished peer or a forgetful firewall leaves: connections that exist never say anything
//! again, and nobody is told; new ones work.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_rig::Weather;

use super::cluster::World;
use super::lines;
use crate::cluster::DOORS;
use crate::product::{problem, until};

const SLOW: Weather = Weather::Slow(Duration::from_millis(20));

lines! { World;
    postgres_link_slow,
    postgres_link_cut,
    postgres_link_half_open,
    checkpoints_link_cut,
    checkpoints_link_half_open,
    kafka_link_slow,
    kafka_link_cut,
    kafka_link_half_open,
    cassandra_link_slow,
    cassandra_link_cut,
    cassandra_link_half_open,
    redis_link_slow,
    redis_link_cut,
    redis_link_half_open,
    node_link_slow,
    node_link_cut,
    node_link_half_open,
}

async fn postgres_link_slow(world: &mut World) -> Result<()> {
    world.links.postgres.weather(SLOW);
    world.pays("postgres-slow").await?;
    world.links.postgres.heal();
    Ok(())
}

async fn postgres_link_cut(world: &mut World) -> Result<()> {
    world.links.postgres.weather(Weather::Cut);
    let code = world.is_refused("postgres-cut").await?;
    ensure!(code == ErrorCode::StorageUnavailable, "{code:?}");
    world.becomes_unready(DOORS, "unavailable").await?;
    world.links.postgres.heal();
    let id = world.asks_until_taken("postgres-cut").await?;
    world.completes(&id).await?;
    world.recovers().await
}

async fn postgres_link_half_open(world: &mut World) -> Result<()> {
    world.links.postgres.half_open();
    let id = world.asks_until_taken("postgres-half-open").await?;
    world.completes(&id).await?;
    world.recovers().await
}

/// The number of the newest checkpoint, as the sealer tells it.
async fn checkpoint(world: &World) -> Result<Option<u64>> {
    let (_, body) = world.ready("sealer").await?;
    let name = body["sealer"]["checkpoint"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Ok(name.split(':').next().and_then(|number| number.parse().ok()))
}

async fn seals_again(world: &World, before: Option<u64>) -> Result<()> {
    until("a checkpoint is signed again", || async {
        Ok((checkpoint(world).await? > before).then_some(()))
    })
    .await
}

async fn checkpoints_link_cut(world: &mut World) -> Result<()> {
    world.links.checkpoints.weather(Weather::Cut);
    let before = checkpoint(world).await?;
    let id = world.asks("checkpoints-cut").await?;
    until("it waits for a mark", || async {
        let transfer = world.product.client.transfer(&id).await?.body;
        Ok((transfer.status.as_str() == "executing").then_some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waits = world.product.client.transfer(&id).await?.body;
    ensure!(!waits.status.is_terminal(), "signed without a mark: {waits:?}");
    ensure!(
        checkpoint(world).await? == before,
        "a checkpoint was kept where nobody keeps any"
    );
    world.links.checkpoints.heal();
    world.completes(&id).await?;
    seals_again(world, before).await
}

async fn checkpoints_link_half_open(world: &mut World) -> Result<()> {
    let before = checkpoint(world).await?;
    world.links.checkpoints.half_open();
    world.pays("checkpoints-half-open").await?;
    seals_again(world, before).await
}

async fn kafka_link_slow(world: &mut World) -> Result<()> {
    world.links.kafka.weather(SLOW);
    let id = world.asks("kafka-slow").await?;
    world.completes(&id).await?;
    world.becomes_listed(&id).await?;
    world.links.kafka.heal();
    Ok(())
}

/// What acts follows the log, and so does what folds while no bus answers; what is to be relayed waits.
pub async fn works_without_kafka(world: &World, key: &str) -> Result<String> {
    let id = world.asks(key).await?;
    world.completes(&id).await?;
    world.becomes_listed(&id).await?;
    until("events wait for Kafka", || async {
        let (_, body) = world.ready("relay").await?;
        Ok(body["relay"]["behind"].as_u64().filter(|events| *events > 0))
    })
    .await?;
    Ok(id)
}

pub async fn everything_is_relayed(world: &World) -> Result<()> {
    until("everything is relayed", || async {
        let (_, body) = world.ready("relay").await?;
        Ok((body["relay"]["behind"].as_u64() == Some(0)).then_some(()))
    })
    .await
}

async fn kafka_link_cut(world: &mut World) -> Result<()> {
    world.links.kafka.weather(Weather::Cut);
    let id = works_without_kafka(world, "kafka-cut").await?;
    world.links.kafka.heal();
    everything_is_relayed(world).await?;
    ensure!(world.is_listed(&id).await == Some(true), "it was folded");
    world.recovers().await
}

async fn kafka_link_half_open(world: &mut World) -> Result<()> {
    world.links.kafka.half_open();
    let id = world.asks("kafka-half-open").await?;
    world.completes(&id).await?;
    world.becomes_listed(&id).await?;
    world.recovers().await
}

async fn cassandra_link_slow(world: &mut World) -> Result<()> {
    world.links.cassandra.weather(SLOW);
    let id = world.asks("cassandra-slow").await?;
    world.completes(&id).await?;
    world.becomes_listed(&id).await?;
    world.links.cassandra.heal();
    Ok(())
}

async fn cassandra_link_cut(world: &mut World) -> Result<()> {
    world.links.cassandra.weather(Weather::Cut);
    let id = world.asks("cassandra-cut").await?;
    // A list that was asked for before may be a kept answer, until something moves.
    let list = until("the list is refused", || async {
        Ok(problem(world.product.client.transfers(None).await).ok())
    })
    .await?;
    ensure!(
        (list.status, list.code) == (503, ErrorCode::StorageUnavailable),
        "{list:?}"
    );
    world.becomes_unready(DOORS, "behind").await?;
    world.links.cassandra.heal();
    world.completes(&id).await?;
    world.becomes_listed(&id).await?;
    world.recovers().await
}

async fn cassandra_link_half_open(world: &mut World) -> Result<()> {
    world.links.cassandra.half_open();
    let id = world.asks("cassandra-half-open").await?;
    world.completes(&id).await?;
    world.becomes_listed(&id).await?;
    world.recovers().await
}

/// With or without Redis: all is answered, and nobody waits for long.
async fn works_without_waiting(world: &World, key: &str) -> Result<()> {
    for n in 0..5 {
        let begun = Instant::now();
        let id = world.asks(&format!("{key}-{n}")).await?;
        world.product.client.transfers(None).await?;
        ensure!(
            begun.elapsed() < Duration::from_secs(5),
            "{key}: {:?}",
            begun.elapsed()
        );
        if n == 0 {
            world.completes(&id).await?;
        }
    }
    Ok(())
}

async fn redis_link_slow(world: &mut World) -> Result<()> {
    world.links.redis.weather(SLOW);
    works_without_waiting(world, "redis-slow").await?;
    world.links.redis.heal();
    Ok(())
}

async fn redis_link_cut(world: &mut World) -> Result<()> {
    world.links.redis.weather(Weather::Cut);
    works_without_waiting(world, "redis-cut").await?;
    world.links.redis.heal();
    world.recovers().await
}

async fn redis_link_half_open(world: &mut World) -> Result<()> {
    world.links.redis.half_open();
    works_without_waiting(world, "redis-half-open").await
}

async fn node_link_slow(world: &mut World) -> Result<()> {
    world.links.node.weather(SLOW);
    world.pays("node-slow").await?;
    world.links.node.heal();
    Ok(())
}

async fn node_link_cut(world: &mut World) -> Result<()> {
    world.links.node.weather(Weather::Cut);
    let id = world.asks("node-cut").await?;
    until("the head grows old", || async {
        let (code, body) = world.ready(DOORS).await?;
        ensure!(code == 200, "a node that is away makes nobody unready: {body}");
        Ok(body["chains"][0]["ageMs"].as_u64().filter(|ms| *ms > 3_000))
    })
    .await?;
    let waits = world.product.client.transfer(&id).await?.body;
    ensure!(!waits.status.is_terminal(), "{waits:?}");
    world.links.node.heal();
    world.completes(&id).await
}

async fn node_link_half_open(world: &mut World) -> Result<()> {
    let id = world.asks("node-half-open").await?;
    world.links.node.half_open();
    world.completes(&id).await
}
