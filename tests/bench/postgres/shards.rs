//! What an event costs in CPU, this process and the server together, as shards are added and each brings its callers; on
//! a runtime with one worker and with two.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};

use super::bed::Bed;
use super::database;
use crate::line::BenchLine;
use crate::process::cpu;

const SHARDS: [u16; 4] = [1, 4, 16, 64];
const CALLERS_PER_SHARD: usize = 256;
/// As many for every count of shards: four of each caller of the most.
const COMMANDS: usize = 64 * CALLERS_PER_SHARD * 4;
const WARM: usize = 64 * CALLERS_PER_SHARD;
/// More than any machine needs: it is printed to be read.
const US_MAX: f64 = 1_000.0;

/// Measures on a server, a database for each.
pub async fn run(out: &mut Vec<BenchLine>, server: &str) -> Result<()> {
    let one = on(server, 1).await?;
    let two = on(server, 2).await?;
    let first = *one.first().context("a first")?;
    let dearest = one.iter().copied().fold(first, f64::max);
    out.push(BenchLine::within(
        "PostgreSQL: CPU per event with 4, 16 and 64 shards, the dearest, against 1; 256 callers a shard",
        dearest,
        "µs",
        first,
        1.15,
    ));
    for (name, costs) in [
        ("PostgreSQL: CPU per event, 64 shards, 1 worker", &one),
        ("PostgreSQL: CPU per event, 64 shards, 2 workers", &two),
    ] {
        let last = *costs.last().context("a last")?;
        out.push(BenchLine::at_most(name, last, "µs", US_MAX));
    }
    Ok(())
}

/// Microseconds of CPU per event for each count of shards, on a runtime of its own.
async fn on(server: &str, workers: usize) -> Result<Vec<f64>> {
    let server = server.to_owned();
    let measuring = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()?;
        let measured = runtime.block_on(async {
            let mut costs = Vec::new();
            for shards in SHARDS {
                costs.push(cost(&server, shards, workers).await?);
            }
            anyhow::Ok(costs)
        });
        runtime.shutdown_timeout(Duration::from_secs(10));
        measured
    };
    tokio::task::spawn_blocking(measuring).await?
}

async fn cost(server: &str, shards: u16, workers: usize) -> Result<f64> {
    let url = database(server, &format!("shards_{shards}_{workers}")).await?;
    let bed = Bed::open(&url, shards).await?;
    let callers = usize::from(shards) * CALLERS_PER_SHARD;
    bed.load(callers, WARM).await?;
    let mut connection = PgConnection::connect(&url).await?;
    let (before, ours) = (server_cpu(&mut connection).await?, cpu(std::process::id()));
    bed.load(callers, COMMANDS).await?;
    let ours = cpu(std::process::id()).saturating_sub(ours);
    let after = server_cpu(&mut connection).await?;
    let servers: Duration = after
        .iter()
        .map(|(pid, spent)| spent.saturating_sub(before.get(pid).copied().unwrap_or_default()))
        .sum();
    let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    let each = |spent: Duration| Ok::<_, anyhow::Error>(micros(spent) / f64::from(u32::try_from(COMMANDS)?));
    eprintln!(
        "PostgreSQL: {shards} shards, {workers} workers: {:.1} µs of ours, {:.1} µs of the server, {} B on disk an event",
        each(ours)?,
        each(servers)?,
        bytes / i64::try_from(COMMANDS + WARM)?
    );
    each(ours + servers)
}

fn micros(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1_000_000.0
}

/// CPU that each process of the server has taken.
async fn server_cpu(connection: &mut PgConnection) -> Result<BTreeMap<u32, Duration>> {
    let pids: Vec<i32> = sqlx::query_scalar("SELECT pid FROM pg_stat_activity")
        .fetch_all(connection)
        .await?;
    let pids = pids.into_iter().filter_map(|pid| u32::try_from(pid).ok());
    Ok(pids.map(|pid| (pid, cpu(pid))).collect())
}
