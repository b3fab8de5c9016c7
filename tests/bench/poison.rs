//! Quarantine: what one key in a thousand that cannot be folded costs the others, against the same backlog without any.
//!
//! Both are folded in turns, three times each, and their fastest runs are compared: what a machine does beside it slows
//! down, never up.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_projectors::ViewName;

use crate::line::BenchLine;
use crate::rebuild::{Node, per_second};

/// Events of a backlog: twenty thousand transfers, each with its execution.
const EVENTS: usize = 260_000;
const TURNS: usize = 3;
/// One key in so many is poisoned.
const ONE_IN: u128 = 1_000;

/// Folds a backlog; events a second.
async fn fold(is_poisoned: bool) -> Result<f64> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    let node = Node::open(dir.path())?;
    let poison = |number: u128| is_poisoned && number % ONE_IN == 0;
    let events = node.fill_log_with(EVENTS, poison).await?;
    node.projector.prepare().await?;
    let heads = node.log.heads().await?;
    let place = |h: &vaultstream_domain::ports::event_log::Head| Place {
        incarnation: h.incarnation,
        position: h.position,
    };
    let positions = Positions(heads.iter().map(|(shard, head)| (*shard, place(head))).collect());
    let shutdown = CancellationToken::new();
    let started = Instant::now();
    let running = tokio::spawn({
        let (projector, shutdown) = (node.projector.clone(), shutdown.clone());
        async move { projector.run(shutdown).await }
    });
    node.reads.wait(&ViewName::ALL, &positions, 600_000).await?;
    let took: Duration = started.elapsed();
    shutdown.cancel();
    running.await??;
    let parked = node.reads.quarantined(ViewName::Transfers).await?.len();
    let lives = EVENTS.div_ceil(13);
    let wanted = if is_poisoned { lives / 1_000 } else { 0 };
    ensure!(
        parked >= wanted && parked <= wanted + 1,
        "{parked} streams are parked, {wanted} should be"
    );
    Ok(per_second(events, took))
}

/// Measures.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let (mut clean, mut poisoned) = (0.0f64, 0.0f64);
    for _ in 0..TURNS {
        clean = clean.max(fold(false).await?);
        poisoned = poisoned.max(fold(true).await?);
    }
    out.push(BenchLine::against(
        "projectors, one poison key in a thousand",
        poisoned,
        "events/s",
        clean,
        0.95,
    ));
    Ok(())
}
