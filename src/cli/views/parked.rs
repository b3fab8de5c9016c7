//! What is in quarantine, and its way out.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use vaultstream_client::http::With;
use vaultstream_client::{Page, ParkedStream, RetryAccepted, RetryView, View};

use super::super::connection::Ask;
use super::super::output::{print, table};
use super::super::request::{page_path, post};
use super::super::{Done, Ended};
use super::{LOOK, checked, shown, views};

/// How long is waited unless told.
const WAIT: &str = "60";

/// Which parked streams.
#[derive(Debug, Args)]
pub struct Quarantine {
    /// The view: balances, directory, feed, lookup, transfers or vaults.
    view: String,
    /// core or a chain's slug; every family that has the view unless given.
    #[arg(long)]
    family: Option<String>,
    /// How many to list.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Go on behind an earlier list, with its cursor.
    #[arg(long)]
    cursor: Option<String>,
}

/// What is to be tried again.
#[derive(Debug, Args)]
pub struct Retry {
    /// The view: balances, directory, feed, lookup, transfers or vaults.
    view: String,
    /// core or a chain's slug; every family that has the view unless given.
    #[arg(long)]
    family: Option<String>,
    /// Why; people read it in the audit.
    #[arg(long)]
    reason: Option<String>,
    /// Wait for the end, at most so many seconds (a minute unless given); exit code 6 when streams are parked still.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = WAIT, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: Option<u64>,
    /// Sent again with the same key, the same retry is meant.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub async fn list(ask: &Ask, asked: Quarantine) -> Done {
    checked(&asked.view)?;
    let filters = [
        ("cursor", asked.cursor.as_deref()),
        ("family", asked.family.as_deref()),
    ];
    let path = page_path(
        &format!("/v1/views/{}/quarantine", asked.view),
        asked.limit,
        &filters,
    );
    let page: Page<ParkedStream> = ask.client.get(&path, With::default()).await?.body;
    print(ask.output, &page, || {
        let row = |parked: &ParkedStream| {
            vec![
                parked.stream.clone(),
                parked.family.clone(),
                parked.shard.to_string(),
                parked.event.clone(),
                format!("{} v{}", parked.event_type, parked.event_version),
                parked.waiting.to_string(),
                parked.reason.clone(),
            ]
        };
        let rows: Vec<_> = page.items.iter().map(row).collect();
        let head = ["stream", "family", "shard", "event", "type", "waiting", "reason"];
        let mut text = table(&head, &rows);
        if let Some(cursor) = &page.next_cursor {
            let _ = writeln!(text, "more: --cursor {cursor}");
        }
        text
    })
}

pub async fn retry(ask: &Ask, asked: Retry) -> Done {
    checked(&asked.view)?;
    let body = RetryView {
        family: asked.family,
        reason: asked.reason,
    };
    let path = format!("/v1/views/{}/retries", asked.view);
    let accepted: RetryAccepted = post(ask, &path, &body, asked.idempotency_key).await?;
    let Some(seconds) = asked.wait else {
        return print(ask.output, &accepted, || {
            let row = |family: &String| vec![accepted.view.clone(), family.clone()];
            let rows: Vec<_> = accepted.families.iter().map(row).collect();
            table(&["view", "family"], &rows)
        });
    };
    let done = wait(ask, &accepted, Duration::from_secs(seconds)).await?;
    print(ask.output, &done, || shown(&done))?;
    let parked: u64 = done.iter().map(|view| view.quarantined).sum();
    if parked == 0 {
        return Ok(());
    }
    Err(Ended::NotCompleted(format!(
        "{parked} streams are parked still; `vaultstream views quarantine {}` says why",
        accepted.view
    )))
}

/// Waits until no family has the retry before it.
async fn wait(ask: &Ask, accepted: &RetryAccepted, most: Duration) -> Result<Vec<View>, Ended> {
    let begun = Instant::now();
    loop {
        let mut done = views(ask).await?.items;
        done.retain(|v| v.view == accepted.view && accepted.families.contains(&v.family));
        if done.iter().all(|view| view.retry.is_none()) {
            return Ok(done);
        }
        if begun.elapsed() >= most {
            let why = format!(
                "the retry is not done after {} s; `vaultstream views list` shows when it is",
                most.as_secs()
            );
            return Err(Ended::NotCompleted(why));
        }
        tokio::time::sleep(LOOK).await;
    }
}
