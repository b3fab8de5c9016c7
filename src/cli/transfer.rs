//! `vaultstream transfer`: send (or only ask what would happen), read, list, approve, deny.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use vaultstream_client::http::{Answer, With};
use vaultstream_client::{Page, RequestTransfer, Transfer, TransferPreview};
use vaultstream_event_schemas::{AccountId, Amount, AssetId, TransferStatus};

use super::connection::Ask;
use super::output::{Format, amount, facts, print, table};
use super::request::{fresh_key, keyed, page_path};
use super::{Done, Ended};

/// How often a transfer that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What can be done with transfers.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Send money, or only ask what would happen.
    Send(Payment),
    /// Read a transfer.
    Show {
        /// Its id, trf_….
        id: String,
    },
    /// List transfers, newest first.
    List {
        /// Only those in this state, such as awaiting_approval.
        #[arg(long)]
        status: Option<TransferStatus>,
        /// Only those of this vault, vlt_….
        #[arg(long)]
        vault: Option<String>,
        /// How many to list.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Go on behind an earlier list, with its cursor.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Approve a transfer as it is now.
    Approve(Decide),
    /// Deny a transfer as it is now, which ends it.
    Deny(Decide),
}

/// What is to be sent.
#[derive(Debug, Args)]
pub struct Payment {
    /// The vault or account that pays: vlt_… or acc_….
    #[arg(long, value_name = "ID")]
    from: String,
    /// To whom, in the chain's own text form.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// How much, in whole units such as 1.5.
    #[arg(
        long,
        value_name = "UNITS",
        required_unless_present = "amount_minor",
        conflicts_with = "amount_minor"
    )]
    amount: Option<String>,
    /// How much, in minor units (wei, satoshi).
    #[arg(long, value_name = "MINOR")]
    amount_minor: Option<String>,
    /// What is paid: a symbol such as ETH, or a CAIP-19 name. Needed when the installation has several assets.
    #[arg(long)]
    asset: Option<String>,
    /// The most the network may charge, in minor units of its native asset.
    #[arg(long, value_name = "MINOR")]
    fee_max: Option<String>,
    /// A note; kept encrypted.
    #[arg(long)]
    memo: Option<String>,
    /// Check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Wait so many seconds for the end; exit code 6 when it is not completed by then.
    #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: Option<u64>,
    /// Sent again with the same key, the same transfer is meant.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A decision.
#[derive(Debug, Args)]
pub struct Decide {
    /// The transfer's id, trf_….
    id: String,
    /// Why; people read it in the audit.
    #[arg(long)]
    reason: Option<String>,
}

pub async fn run(ask: Ask, verb: Verb) -> Done {
    match verb {
        Verb::Send(send) => self::send(&ask, send).await,
        Verb::Show { id } => {
            let transfer = ask.client.transfer(&checked(&id)?).await?.body;
            show(ask.output, &transfer)
        }
        Verb::List {
            status,
            vault,
            limit,
            cursor,
        } => {
            let status = status.map(|s| s.to_string());
            let filters = [
                ("cursor", cursor.as_deref()),
                ("status", status.as_deref()),
                ("vaultId", vault.as_deref()),
            ];
            list(&ask, limit, &filters).await
        }
        Verb::Approve(decide) => self::decide(&ask, "approve", decide).await,
        Verb::Deny(decide) => self::decide(&ask, "deny", decide).await,
    }
}

/// An id as part of a path: nothing else fits one.
fn checked(id: &str) -> Result<String, Ended> {
    let id: vaultstream_event_schemas::TransferId = id.parse().map_err(|e| Ended::Unsent(anyhow!("{e}")))?;
    Ok(id.to_string())
}

async fn list(ask: &Ask, limit: u16, filters: &[(&str, Option<&str>)]) -> Done {
    let path = page_path("/v1/transfers", limit, filters);
    let page: Page<Transfer> = ask.client.get(&path, With::default()).await?.body;
    print(ask.output, &page, || {
        let row = |t: &Transfer| {
            vec![
                t.id.to_string(),
                t.status.to_string(),
                amount(&t.amount),
                t.destination.clone(),
                t.created_at.to_string(),
            ]
        };
        let rows: Vec<_> = page.items.iter().map(row).collect();
        let mut text = table(&["id", "status", "amount", "to", "requested"], &rows);
        if let Some(cursor) = &page.next_cursor {
            let _ = writeln!(text, "more: --cursor {cursor}");
        }
        text
    })
}

/// The asset that is meant, by name or symbol or because there is but one, and its decimals.
async fn asset_of(ask: &Ask, wanted: Option<&str>) -> Result<(AssetId, u8), Ended> {
    let chains = ask.client.chains().await?;
    let all: Vec<_> = chains.into_iter().flat_map(|chain| chain.assets).collect();
    let fits = |a: &&vaultstream_client::chain::Asset| {
        wanted.is_none_or(|w| a.id.as_str() == w || a.symbol.eq_ignore_ascii_case(w))
    };
    let found: Vec<_> = all.iter().filter(fits).collect();
    let names = |assets: &[&vaultstream_client::chain::Asset]| {
        let each = assets.iter().map(|a| format!("{} ({})", a.symbol, a.id));
        each.collect::<Vec<_>>().join(", ")
    };
    match found.as_slice() {
        [one] => Ok((one.id.clone(), one.decimals)),
        [] => {
            let known = names(&all.iter().collect::<Vec<_>>());
            Err(anyhow!(
                "--asset {} is not served here; there are: {known}",
                wanted.unwrap_or_default()
            )
            .into())
        }
        several => Err(anyhow!(
            "several assets are meant; name one with --asset: {}",
            names(several)
        )
        .into()),
    }
}

async fn request_of(ask: &Ask, send: &Payment) -> Result<RequestTransfer, Ended> {
    let (asset, decimals) = asset_of(ask, send.asset.as_deref()).await?;
    let minor = match (&send.amount, &send.amount_minor) {
        (Some(units), _) => Amount::from_decimal(units, decimals)
            .map_err(|_| anyhow!("--amount {units} is no amount with at most {decimals} decimal places"))?
            .to_string(),
        (None, Some(minor)) => minor.clone(),
        (None, None) => return Err(anyhow!("give --amount or --amount-minor").into()),
    };
    let is_account = send.from.parse::<AccountId>().is_ok();
    Ok(RequestTransfer {
        vault_id: (!is_account).then(|| send.from.clone()),
        account_id: is_account.then(|| send.from.clone()),
        asset: asset.to_string(),
        amount: minor,
        destination: send.to.clone(),
        external_id: None,
        memo: send.memo.clone(),
        fee_max: send.fee_max.clone(),
        expires_in: None,
        dry_run: None,
    })
}

async fn send(ask: &Ask, send: Payment) -> Done {
    let request = request_of(ask, &send).await?;
    if send.dry_run {
        let preview = ask.client.preview_transfer(&request).await?;
        return print(ask.output, &preview, || preview_facts(&preview));
    }
    let key = send.idempotency_key.clone().unwrap_or_else(fresh_key);
    let accepted = keyed(ask.client.request_transfer(&request, &key).await, &key)?;
    let Some(seconds) = send.wait else {
        let repeated = if accepted.replayed { "yes" } else { "" };
        let answer = accepted.body;
        return print(ask.output, &answer, || {
            facts(&[
                ("id", answer.id.to_string()),
                ("status", answer.status.to_string()),
                ("account", answer.account_id.to_string()),
                ("idempotency key", key.clone()),
                ("was sent before", repeated.to_owned()),
            ])
        });
    };
    let transfer = wait(ask, &accepted.body.id.to_string(), seconds).await?;
    show(ask.output, &transfer)?;
    match transfer.status {
        TransferStatus::Completed => Ok(()),
        status => Err(Ended::NotCompleted(format!(
            "transfer {} is {status}",
            transfer.id
        ))),
    }
}

fn preview_facts(preview: &TransferPreview) -> String {
    let fee = preview.fee.as_ref();
    facts(&[
        ("dry run", "nothing was changed".to_owned()),
        ("account", preview.account_id.to_string()),
        ("from", preview.source.clone()),
        ("to", preview.destination.clone()),
        ("amount", amount(&preview.amount)),
        ("balance", amount(&preview.balance)),
        (
            "fee expected",
            fee.map(|f| amount(&f.expected)).unwrap_or_default(),
        ),
        ("fee at most", fee.map(|f| amount(&f.max)).unwrap_or_default()),
        ("approvals needed", preview.approvals_needed.to_string()),
    ])
}

/// Looks at a transfer until it is over or time is.
async fn wait(ask: &Ask, id: &str, seconds: u64) -> Result<Transfer, Ended> {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        let transfer = ask.client.transfer(id).await?.body;
        if transfer.status.is_terminal() || Instant::now() >= until {
            return Ok(transfer);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show(format: Format, transfer: &Transfer) -> Done {
    print(format, transfer, || transfer_facts(transfer))
}

fn transfer_facts(t: &Transfer) -> String {
    let failure = t.failure.as_ref().map(|f| match &f.code {
        Some(code) => format!("{code}: {}", f.detail),
        None => f.detail.clone(),
    });
    let needed = t
        .approvals_needed
        .map(|n| format!("{} of {n}", t.approvals.len()));
    let mut lines = vec![
        ("id", t.id.to_string()),
        ("status", t.status.to_string()),
        ("amount", amount(&t.amount)),
        ("account", t.account_id.to_string()),
        ("to", t.destination.clone()),
        (
            "memo",
            if t.memo_erased {
                "(erased)".to_owned()
            } else {
                t.memo.clone().unwrap_or_default()
            },
        ),
        ("approvals", needed.unwrap_or_default()),
        ("failure", failure.unwrap_or_default()),
        ("requested", t.created_at.to_string()),
        ("changed", t.updated_at.to_string()),
    ];
    for execution in &t.executions {
        lines.push(("execution", format!("{} {}", execution.id, execution.status)));
        lines.push(("transaction", execution.txid.clone().unwrap_or_default()));
        let deep = execution.confirmations.map(|n| n.to_string());
        lines.push(("confirmations", deep.unwrap_or_default()));
        lines.push(("fee", execution.fee.as_ref().map(amount).unwrap_or_default()));
    }
    facts(&lines)
}

/// Reads a transfer and decides on just what was read: whoever changed it meanwhile gets asked about the change.
async fn decide(ask: &Ask, verb: &str, decide: Decide) -> Done {
    let id = checked(&decide.id)?;
    let Answer { body, etag, .. } = ask.client.transfer(&id).await?;
    let unnamed = || {
        Ended::Unsent(anyhow!(
            "the server gave no ETag for {}; a decision names what it is about",
            body.id
        ))
    };
    let etag = etag.ok_or_else(unnamed)?;
    let reason = decide.reason.as_deref();
    let decided = ask.client.decide_transfer(&id, verb, &etag, reason).await?;
    show(ask.output, &decided.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_should_not_leave_their_place_in_the_path() {
        assert!(checked("../organizations").is_err());
        assert!(checked("acc_0").is_err());
    }
}
