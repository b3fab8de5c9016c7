//! The cluster's engines are killed as by a power cut, or frozen: connections stay open and nobody answers.

use std::time::Duration;

use anyhow::{Result, ensure};
use vaultstream_engines::Server;
use vaultstream_event_schemas::ErrorCode;

use super::cluster::World;
use super::lines;
use super::links::{everything_is_relayed, works_without_kafka};
use crate::cluster::DOORS;

/// How long an engine stays frozen.
const FROZEN: Duration = Duration::from_secs(4);

lines! { World;
    postgres_killed,
    postgres_frozen,
    kafka_killed,
    kafka_frozen,
    cassandra_killed,
    cassandra_frozen,
    redis_killed,
    redis_frozen,
}

/// Blocking calls of an engine beside everything else.
fn blocking<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(call)
}

async fn frozen(server: &Server) -> Result<()> {
    blocking(|| server.pause())?;
    tokio::time::sleep(FROZEN).await;
    blocking(|| server.resume())
}

async fn postgres_killed(world: &mut World) -> Result<()> {
    let under_way = world.asks("postgres-killed-under-way").await?;
    blocking(|| world.roles.engines.postgres.kill())?;
    let code = world.is_refused("postgres-killed").await?;
    ensure!(code == ErrorCode::StorageUnavailable, "{code:?}");
    world.becomes_unready(DOORS, "unavailable").await?;
    blocking(|| world.roles.engines.postgres.restart())?;
    let id = world.asks_until_taken("postgres-killed").await?;
    world.completes(&id).await?;
    world.completes(&under_way).await?;
    world.recovers().await
}

async fn postgres_frozen(world: &mut World) -> Result<()> {
    blocking(|| world.roles.engines.postgres.pause())?;
    let (asked, ()) = tokio::join!(world.asks("postgres-frozen"), async {
        tokio::time::sleep(FROZEN).await;
    });
    // Who asked has waited or was refused; in both cases the same key has its effect once.
    let resumed = blocking(|| world.roles.engines.postgres.resume());
    resumed?;
    drop(asked);
    let id = world.asks_until_taken("postgres-frozen").await?;
    world.completes(&id).await?;
    world.recovers().await
}

async fn kafka_killed(world: &mut World) -> Result<()> {
    blocking(|| world.roles.engines.kafka.kill())?;
    works_without_kafka(world, "kafka-killed").await?;
    blocking(|| world.roles.engines.kafka.restart())?;
    everything_is_relayed(world).await?;
    world.recovers().await
}

async fn kafka_frozen(world: &mut World) -> Result<()> {
    let (id, done) = tokio::join!(world.asks("kafka-frozen"), frozen(&world.roles.engines.kafka));
    done?;
    world.becomes_listed(&id?).await
}

async fn cassandra_killed(world: &mut World) -> Result<()> {
    blocking(|| world.roles.engines.cassandra.kill())?;
    let id = world.asks("cassandra-killed").await?;
    world.becomes_unready(DOORS, "behind").await?;
    blocking(|| world.roles.engines.cassandra.restart())?;
    world.becomes_listed(&id).await?;
    world.completes(&id).await?;
    world.recovers().await
}

async fn cassandra_frozen(world: &mut World) -> Result<()> {
    let (id, done) = tokio::join!(
        world.asks("cassandra-frozen"),
        frozen(&world.roles.engines.cassandra)
    );
    done?;
    let id = id?;
    world.becomes_listed(&id).await?;
    world.completes(&id).await
}

async fn redis_killed(world: &mut World) -> Result<()> {
    blocking(|| world.roles.engines.redis.kill())?;
    world.pays("redis-killed").await?;
    world.product.client.transfers(None).await?;
    blocking(|| world.roles.engines.redis.restart())?;
    world.recovers().await
}

async fn redis_frozen(world: &mut World) -> Result<()> {
    blocking(|| world.roles.engines.redis.pause())?;
    world.pays("redis-frozen").await?;
    blocking(|| world.roles.engines.redis.resume())
}
