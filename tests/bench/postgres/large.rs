//! Whether an append grows dearer with the log: the same load over 1,000,000 rows and over 20,000,000. Takes about half
//! an hour and 40 GB of disk, so only where it is asked for.

use anyhow::Result;

use super::bed::Bed;
use super::{CALLERS, COMMANDS, SHARDS, WARM, database};
use crate::line::BenchLine;
use crate::tenant::Tenant;

const FEW: u64 = 1_000_000;
const MANY: u64 = 20_000_000;

/// Measures on a server.
pub async fn run(out: &mut Vec<BenchLine>, server: &str) -> Result<()> {
    let bed = Bed::open(&database(server, "large").await?, SHARDS).await?;
    let mut tenant = Tenant::found(bed.log.clone(), 1).await?;
    tenant.request(FEW).await?;
    let few = micros_each(&bed).await?;
    tenant.request(MANY - FEW).await?;
    let many = micros_each(&bed).await?;
    out.push(BenchLine::within(
        "PostgreSQL: time per durable command over 20,000,000 rows against 1,000,000",
        many,
        "µs",
        few,
        1.2,
    ));
    Ok(())
}

async fn micros_each(bed: &Bed) -> Result<f64> {
    bed.load(CALLERS, WARM).await?;
    Ok(1_000_000.0 / bed.load(CALLERS, COMMANDS).await?)
}
