//! What has to be so when everything is over.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_rig::{fold, ledger::Ledger};

use crate::chain::Chain;
use crate::load::{Seen, WEI};

/// How long views may take to fold what waits.
const FOLDING: Duration = Duration::from_secs(900);

/// Waits until the views of whoever answers there have folded everything.
pub async fn caught_up(base: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        if let Ok(answer) = reqwest::get(format!("{base}/health/ready")).await {
            let body: Value = answer.json().await?;
            let views = body["views"].as_array().cloned().unwrap_or_default();
            let is_folded = |v: &Value| v["position"].as_u64() == v["head"].as_u64();
            if !views.is_empty() && views.iter().all(is_folded) {
                return Ok(());
            }
            ensure!(begun.elapsed() < FOLDING, "the views do not catch up: {body}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs a verb of the product to its end.
pub fn verb(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Every acknowledged command once, what was approved completed once; the events of the log.
pub fn log_is_right(exported: &Path, seen: &Seen, paid: &BTreeMap<String, String>) -> Result<u64> {
    let ledger = Ledger::read(exported)?;
    let acknowledged: Vec<String> = seen.all().into_iter().map(|a| a.id).collect();
    ledger.has_just(&acknowledged, 0)?;
    ledger.has_completed(paid.keys())?;
    Ok(ledger.events)
}

/// The chain has seen each payment once, and no other.
pub async fn paid_once(chain: &Chain, payer: &str, paid: &BTreeMap<String, String>) -> Result<()> {
    for (id, destination) in paid {
        let held = chain.balance(destination).await?;
        ensure!(held == WEI, "{id} paid {held} wei instead of {WEI}");
    }
    let sent = chain.sent(payer).await?;
    ensure!(
        sent == paid.len() as u128,
        "{sent} transactions for {} approved transfers",
        paid.len()
    );
    Ok(())
}

/// Views are what a fold from zero gives; how many were compared.
pub async fn views_are_right(
    log: &Arc<dyn EventLog>,
    store: &dyn ViewStore,
    scratch: &Path,
) -> Result<usize> {
    let have = fold::of(store, log.as_ref()).await?;
    let folded = fold::from_zero(log, scratch).await?;
    fold::same(&have, &folded)?;
    Ok(have.len())
}

/// What the end says, for the report.
pub fn facts(seen: &Seen, paid: usize, events: u64, views: usize) -> Value {
    json!({
        "acknowledged": seen.count(), "approvedAndPaidOnce": paid, "events": events,
        "viewsEqualToAFoldFromZero": views, "refusedOnTheWay": seen.refusals(),
    })
}
