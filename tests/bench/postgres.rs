//! Durable commands a second on PostgreSQL: 256 callers request transfers in 16 shards through the executor, each
//! waiting for its answer; against stock postgres-es with the same payload on the same server in the same run, at
//! whichever of three counts of callers is its best. Raw combined inserts of the same rows are printed beside. Then
//! the time of one command at half of that load, offered whether or not earlier ones are answered, and what an event
//! costs with more shards and, where asked for, with more rows.

mod bed;
mod large;
mod shards;
pub mod stock;

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{Connection, Executor as _, PgConnection};
use vaultstream_domain::ports::event_log::AppendCommand;
use vaultstream_engines::Postgres;
use vaultstream_infra_postgres::baseline;
use vaultstream_kernel::Options;

use crate::Extent;
use crate::line::BenchLine;
use bed::Bed;

const CALLERS: usize = 256;
const SHARDS: u16 = 16;
const COMMANDS: usize = 256 * 400;
const WARM: usize = 256 * 40;
const UNIT: &str = "commands/s";

/// Measures, on a server of its own.
pub async fn run(out: &mut Vec<BenchLine>, extent: Extent) -> Result<()> {
    // Room for both sides, so that neither is measured while the server catches up with the other's pages.
    let settings = [
        ("shared_buffers", "512MB"),
        ("max_wal_size", "8GB"),
        ("checkpoint_timeout", "30min"),
    ];
    let server = tokio::task::spawn_blocking(move || Postgres::with(&settings)).await??;
    let stock = stock::best(&server.url()).await?;
    let bed = Bed::open(&database(&server.url(), "ours").await?, SHARDS).await?;
    bed.load(CALLERS, WARM).await?;
    let rate = bed.load(CALLERS, COMMANDS).await?;
    let p99_ms = bed.at(rate / 2.0).await?;
    let rows = bed.rows(COMMANDS).await?;
    let raw = raw(&database(&server.url(), "raw").await?, &rows).await?;
    out.push(BenchLine::against(
        "PostgreSQL: durable commands / stock postgres-es",
        rate,
        UNIT,
        stock,
        5.0,
    ));
    out.push(BenchLine::against(
        "PostgreSQL: durable commands / raw combined inserts",
        rate,
        UNIT,
        raw,
        0.3,
    ));
    out.push(BenchLine::at_most(
        "PostgreSQL: append p99 at half load",
        p99_ms,
        "ms",
        10.0,
    ));
    drop(bed);
    shards::run(out, &server.url()).await?;
    if extent == Extent::Full {
        large::run(out, &server.url()).await?;
    }
    Ok(())
}

/// A new database on the server.
async fn database(server: &str, name: &str) -> Result<String> {
    let mut connection = PgConnection::connect(server).await?;
    connection
        .execute(format!("CREATE DATABASE {name}").as_str())
        .await?;
    connection.close().await?;
    let (server, _) = server.rsplit_once('/').context("a url names its database")?;
    Ok(format!("{server}/{name}"))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

async fn raw(url: &str, rows: &[AppendCommand]) -> Result<f64> {
    let log = bed::log(url, SHARDS).await?;
    let took = baseline::insert(&log.first_database(), rows, Options::default().batch_commands).await?;
    let rate = per_second(rows.len(), took);
    eprintln!("raw combined inserts: {rate:.0}/s");
    Ok(rate)
}
