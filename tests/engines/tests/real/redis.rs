//! Redis.

use crate::speak::redis;
use crate::{bears_faults, says};
use anyhow::{Result, ensure};
use vaultstream_engines::Redis;

#[test]
fn redis_should_bear_faults() -> Result<()> {
    let engine = Redis::start()?;
    let url = engine.url();
    bears_faults(
        &engine,
        |word| redis(&url, &format!("SET {word} kept")).map(drop),
        |word| Ok(redis(&url, &format!("GET {word}"))?.contains("kept")),
    )
}

#[test]
fn settings_should_reach_redis() -> Result<()> {
    let engine = Redis::with(&[("maxmemory", "8mb")])?;
    let answer = redis(&engine.url(), "CONFIG GET maxmemory")?;
    ensure!(answer.contains("8388608"), "{answer}");
    says(
        Redis::with(&[("no-such-setting", "1")]),
        "Redis",
        "no-such-setting",
    )
}

#[test]
fn shared_redis_should_refuse_faults() -> Result<()> {
    let shared = Redis::shared();
    ensure!(redis(&shared.url(), "PING")?.contains("PONG"));
    ensure!(shared.kill().is_err());
    ensure!(redis(&shared.url(), "PING")?.contains("PONG"));
    Ok(())
}
