//! Point reads and pages of lists, through the query side's REST door, over a million transfers on CQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::TransferId;

use super::Role;
use crate::Extent;
use crate::line::BenchLine;
use crate::load::{self, Target};
use crate::product::caught_up;
use crate::tenant::Tenant;

const PER_SECOND: u64 = 200;
const MEASURED: Duration = Duration::from_secs(20);
const TARGET_MS: f64 = 50.0;
/// Pages deep into the list whose cursors are asked for.
const PAGES: usize = 200;

/// Measures; the transfers take the way of all events: log, relay, Kafka, projectors.
pub async fn run(
    out: &mut Vec<BenchLine>,
    door: &Role,
    log: &Arc<dyn EventLog>,
    extent: Extent,
) -> Result<()> {
    let (count, points, pages) = match extent {
        Extent::Quick => (
            100_000,
            "cluster: point reads at 200/s over 100,000 transfers on CQL, p99",
            "cluster: list pages at 200/s over 100,000 transfers on CQL, p99",
        ),
        Extent::Whole | Extent::Full => (
            1_000_000,
            "cluster: point reads at 200/s over 1,000,000 transfers on CQL, p99",
            "cluster: list pages at 200/s over 1,000,000 transfers on CQL, p99",
        ),
    };
    // A tenant of its own, so that its list is exactly so long.
    let mut tenant = Tenant::found(log.clone(), 9_000).await?;
    let key = tenant.key().await?;
    let begun = Instant::now();
    let sample = tenant.request(count).await?;
    let written = begun.elapsed();
    caught_up(&door.address).await?;
    eprintln!(
        "{count} transfers in the log after {written:.1?}, folded after {:.1?}",
        begun.elapsed()
    );
    for (bench, paths) in [
        (points, of_each(&sample)),
        (pages, of_pages(&door.address, &key).await?),
    ] {
        let target = asking(&door.address, &key, paths);
        // The engine's caches are as warm as in a service that runs.
        load::steady(&target, PER_SECOND, Duration::from_secs(5)).await?;
        let p99_ms = load::steady(&target, PER_SECOND, MEASURED).await?;
        out.push(BenchLine::at_most(bench, p99_ms, "ms", TARGET_MS));
    }
    Ok(())
}

fn of_each(sample: &[TransferId]) -> Vec<String> {
    sample.iter().map(|id| format!("/v1/transfers/{id}")).collect()
}

/// The first page and those behind it, as far as a person turns them.
async fn of_pages(address: &str, key: &str) -> Result<Vec<String>> {
    let mut paths = vec!["/v1/transfers?limit=50".to_owned()];
    for _ in 0..PAGES {
        let path = paths.last().context("a first page")?;
        let response = reqwest::Client::new()
            .get(format!("http://{address}{path}"))
            .bearer_auth(key)
            .send()
            .await?;
        let page: Value = response.error_for_status()?.json().await?;
        let items = page["items"].as_array().map_or(0, Vec::len);
        ensure!(items == 50, "a page of {items}");
        let cursor = page["nextCursor"].as_str().context("there are more pages")?;
        paths.push(format!("/v1/transfers?limit=50&cursor={cursor}"));
    }
    Ok(paths)
}

/// Asks for paths that are far from each other, one after another.
fn asking(address: &str, key: &str, paths: Vec<String>) -> Target {
    let (to, key) = (address.to_owned(), key.to_owned());
    Target {
        address: address.to_owned(),
        make: Arc::new(move |worker, n| {
            let spread = (worker * 1_000_003 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let at = spread % u64::try_from(paths.len()).unwrap_or(1);
            let path = usize::try_from(at).ok().and_then(|at| paths.get(at));
            load::get(&to, &key, path.map_or("/", String::as_str))
        }),
        status: 200,
    }
}
