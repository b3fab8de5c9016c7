//! `vaultstream views`: how far they are, what they could not fold, and rebuilds of them.

mod parked;

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use vaultstream_client::http::With;
use vaultstream_client::{Page, RebuildAccepted, RebuildStatus, RebuildView, View, ViewGeneration};

use super::connection::Ask;
use super::output::{print, table};
use super::request::post;
use super::{Done, Ended};

/// How often a rebuild that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long is waited unless told.
const WAIT: &str = "3600";

/// What can be done with views.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the views of every family: which generation is read, how far it is, what is being rebuilt.
    List,
    /// List the streams that could not be folded, each with the event and the reason.
    Quarantine(parked::Quarantine),
    /// Fold parked streams again, in order and without a restart, once what was wrong is mended.
    Retry(parked::Retry),
    /// Fold a view again from the log, beside its readers.
    Rebuild(Rebuild),
}

/// What is to be rebuilt.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The view: balances, directory, feed, lookup, transfers or vaults.
    view: String,
    /// core or a chain's slug; every family that has the view unless given.
    #[arg(long)]
    family: Option<String>,
    /// Why; people read it in the audit.
    #[arg(long)]
    reason: Option<String>,
    /// Wait for the end, at most so many seconds (an hour unless given); exit code 6 when it is not done by then.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = WAIT, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: Option<u64>,
    /// Sent again with the same key, the same rebuild is meant.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub async fn run(ask: Ask, verb: Verb) -> Done {
    match verb {
        Verb::List => {
            let page = views(&ask).await?;
            print(ask.output, &page, || shown(&page.items))
        }
        Verb::Quarantine(asked) => parked::list(&ask, asked).await,
        Verb::Retry(asked) => parked::retry(&ask, asked).await,
        Verb::Rebuild(asked) => rebuild(&ask, asked).await,
    }
}

async fn views(ask: &Ask) -> Result<Page<View>, Ended> {
    Ok(ask.client.get("/v1/views", With::default()).await?.body)
}

fn shown(views: &[View]) -> String {
    let rows: Vec<Vec<String>> = views.iter().map(row).collect();
    table(
        &[
            "view",
            "family",
            "generation",
            "position",
            "head",
            "lag ms",
            "a second",
            "quarantined",
            "rebuild",
        ],
        &rows,
    )
}

fn row(view: &View) -> Vec<String> {
    let rebuild = view.rebuild.as_ref().map(|rebuild| {
        let word = match rebuild.status {
            RebuildStatus::Requested => "requested",
            RebuildStatus::Building => "building",
            RebuildStatus::Failed => "failed",
        };
        let generation = rebuild.generation.map(|g| format!(" {g}")).unwrap_or_default();
        format!("{word}{generation}: {}", rebuild.reason)
    });
    vec![
        view.view.clone(),
        view.family.clone(),
        view.generation.to_string(),
        view.position.to_string(),
        view.head.to_string(),
        view.lag_ms.to_string(),
        view.per_second.map(|n| n.to_string()).unwrap_or_default(),
        view.quarantined.to_string(),
        rebuild.unwrap_or_default(),
    ]
}

/// A name is one word of a path: what is not a word is named in the refusal, not sent elsewhere.
fn checked(view: &str) -> Done {
    if view.is_empty() || !view.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let why = format!("`{view}` is no view; `vaultstream views list` names them");
        return Err(Ended::Unsent(anyhow::anyhow!(why)));
    }
    Ok(())
}

async fn rebuild(ask: &Ask, asked: Rebuild) -> Done {
    checked(&asked.view)?;
    let body = RebuildView {
        family: asked.family,
        reason: asked.reason,
    };
    let path = format!("/v1/views/{}/rebuilds", asked.view);
    let accepted: RebuildAccepted = post(ask, &path, &body, asked.idempotency_key).await?;
    let Some(seconds) = asked.wait else {
        return print(ask.output, &accepted, || {
            let row =
                |f: &ViewGeneration| vec![accepted.view.clone(), f.family.clone(), f.generation.to_string()];
            let rows: Vec<_> = accepted.families.iter().map(row).collect();
            table(&["view", "family", "generation"], &rows)
        });
    };
    let rebuilt = wait(ask, &accepted, Duration::from_secs(seconds)).await?;
    print(ask.output, &rebuilt, || shown(&rebuilt))
}

/// Waits until every family reads a newer generation.
async fn wait(ask: &Ask, accepted: &RebuildAccepted, most: Duration) -> Result<Vec<View>, Ended> {
    let begun = Instant::now();
    loop {
        let page = views(ask).await?;
        let mut rebuilt = Vec::new();
        for family in &accepted.families {
            let found = page
                .items
                .iter()
                .find(|v| v.view == accepted.view && v.family == family.family);
            match found {
                Some(view) if view.generation > family.generation => rebuilt.push(view.clone()),
                Some(view) => is_failed(view)?,
                None => {}
            }
        }
        if rebuilt.len() == accepted.families.len() {
            return Ok(rebuilt);
        }
        if begun.elapsed() >= most {
            let why = format!(
                "{} of {} families are rebuilt after {} s; it goes on, `vaultstream views list` shows it",
                rebuilt.len(),
                accepted.families.len(),
                most.as_secs()
            );
            return Err(Ended::NotCompleted(why));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_failed(view: &View) -> Done {
    match &view.rebuild {
        Some(rebuild) if rebuild.status == RebuildStatus::Failed => Err(Ended::NotCompleted(format!(
            "the rebuild of {} in {} was given up, and generation {} is read as before: {}",
            view.view, view.family, view.generation, rebuild.reason
        ))),
        _ => Ok(()),
    }
}
