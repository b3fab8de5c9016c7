//! Requests for transfers: what PostgreSQL and the door alone take, 10,000 at once, and what goes on for ever with
//! everything behind them running.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::Family;

use super::Installation;
use crate::http::{AT_ONCE, CONNECTIONS, MEASURED, WARM, at_once, transfers};
use crate::line::BenchLine;
use crate::load::{self, Target};
use crate::postgres::stock;
use crate::product::caught_up;
use crate::tenant::{self, Tenant};

/// What a door may hold while 10,000 wait in it.
const RESIDENT_MB: f64 = 512.0;
/// How long screening and folding may take after the load.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures.
pub async fn run(
    out: &mut Vec<BenchLine>,
    installation: &Installation,
    log: &Arc<dyn EventLog>,
) -> Result<()> {
    // A tenant of its own: the workflows write to its transfers.
    let mut tenant = Tenant::found(log.clone(), 1).await?;
    let server = installation.engines.postgres.url();
    let stock = stock::best(&server).await?;
    let (key, body) = (tenant.key().await?, tenant::body(&tenant.vault.to_string()));
    let door = installation.role("command-api")?;
    let target = |name| transfers(&door.address, &key, &body, name);
    let (rate, _) = load::flat_out(&target("flat"), CONNECTIONS, WARM, MEASURED).await?;
    out.push(BenchLine::against(
        "cluster: POST /v1/transfers acknowledged / stock postgres-es without HTTP",
        rate,
        "1/s",
        stock,
        1.0,
    ));
    // The connections of the load are gone; its transfers stay.
    let before = events(log).await?;
    let lost = at_once(&target("once")).await?;
    let written = events(log).await? - before;
    let lost = lost.max(load::as_f64(AT_ONCE.abs_diff(written)));
    out.push(BenchLine::at_most(
        "cluster: 10,000 concurrent POST /v1/transfers: refused, failed or lost",
        lost,
        "requests",
        0.0,
    ));
    out.push(BenchLine::at_most(
        "cluster: command-api resident at its most, with 10,000 waiting",
        door.process.peak_mb()?,
        "MB",
        RESIDENT_MB,
    ));
    sustained(out, installation, log, &target("sustained")).await
}

/// Requested as fast as the door takes it, screened until it waits for approval, relayed and folded: what is left to do
/// when the load ends counts, too.
async fn sustained(
    out: &mut Vec<BenchLine>,
    installation: &Installation,
    log: &Arc<dyn EventLog>,
    target: &Target,
) -> Result<()> {
    let behind = [
        installation.role("relay")?,
        installation.role("projectors")?,
        installation.role("workflows")?,
    ];
    let reads = installation.role("query-api")?;
    // What the rows before have left is screened and folded first.
    at_rest(log).await?;
    caught_up(&reads.address).await?;
    let (before, begun) = (events(log).await?, Instant::now());
    let (_, accepted) = load::flat_out(target, CONNECTIONS, Duration::ZERO, MEASURED).await?;
    let asked = begun.elapsed();
    while events(log).await? < before + 2 * accepted {
        ensure!(
            begun.elapsed() < PATIENCE,
            "{accepted} transfers were not screened in time"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    caught_up(&reads.address).await?;
    let whole = begun.elapsed();
    eprintln!(
        "{accepted} transfers requested in {asked:.1?}, waiting for approval and folded after {whole:.1?}"
    );
    out.push(BenchLine::at_least(
        "cluster: transfers requested, brought to awaiting_approval, relayed and folded, all roles running",
        load::as_f64(accepted) / whole.as_secs_f64(),
        "1/s",
        0.0,
    ));
    drop(behind);
    Ok(())
}

/// Events of the chains.
pub async fn events(log: &Arc<dyn EventLog>) -> Result<u64> {
    let (registry, heads) = (log.registry(), log.heads().await?);
    let chains = registry
        .entries()
        .iter()
        .filter(|e| matches!(e.family, Family::Chain(_)));
    Ok(chains
        .filter_map(|e| heads.get(&e.number))
        .map(|h| h.position)
        .sum())
}

/// Waits until nothing has been written for two seconds.
async fn at_rest(log: &Arc<dyn EventLog>) -> Result<()> {
    let begun = Instant::now();
    let mut seen = events(log).await?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = events(log).await?;
        if now == seen {
            return Ok(());
        }
        seen = now;
        ensure!(begun.elapsed() < PATIENCE, "the workflows do not come to rest");
    }
}
