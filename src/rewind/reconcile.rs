//! `vaultstream reconcile`: what the log has forgotten, account by account, and what becomes of it.

use anyhow::Result;
use serde_json::{Value, json};
use vaultstream_workflows::reconcile::{Finding, LostBind, Reconciliation, reconcile};

use super::left::{self, Left};
use super::operator::write_new;
use super::{Format, Installation, Reconcile};

/// Prints what is found; `false` when the log is behind its mark.
pub async fn run(options: &Reconcile, here: &Installation<'_>) -> Result<bool> {
    let (found, left) = look(here).await?;
    let is_whole = found.looked.rewound.is_none() && !is_unmarked(here, &found);
    match options.output {
        Format::Json => println!("{}", object(here, &found, &left)),
        Format::Text => print(here, &found, &left),
    }
    if let Some(path) = &options.statement {
        write_new(path, &found.statement.to_string(), 0o644)?;
        if options.output == Format::Text {
            println!("the statement is in {}", path.display());
        }
    }
    Ok(is_whole)
}

/// Looks at mark, log, chains, and whatever else still has events of the log.
pub async fn look(here: &Installation<'_>) -> Result<(Reconciliation, Left)> {
    let left = left::look(here).await?;
    let mut found = reconcile(&here.ports, &here.chains).await?;
    found.statement.gone = left.stated();
    Ok((found, left))
}

/// Whether the log has binds, no mark, and may not begin one.
pub fn is_unmarked(here: &Installation<'_>, found: &Reconciliation) -> bool {
    found.looked.has_binds && !here.config.may_begin_marks()
}

fn why(here: &Installation<'_>, found: &Reconciliation) -> Vec<String> {
    let rewound = found.looked.rewound.iter().flat_map(|rewound| &rewound.why);
    let mut why: Vec<String> = rewound.map(ToString::to_string).collect();
    if is_unmarked(here, found) {
        why.push(vaultstream_kernel::mark::Why::Missing.to_string());
    }
    why
}

fn print(here: &Installation<'_>, found: &Reconciliation, left: &Left) {
    let (why, looked) = (why(here, found), &found.looked);
    match &looked.mark {
        Some((name, mark)) => println!("mark {} of {}", name.number, mark.marked_at),
        None => println!("mark: none"),
    }
    if why.is_empty() {
        println!("the log holds its mark: nothing is to be released");
        if left.stated().is_some_and(|stated| stated.events > 0) {
            left.print();
        }
        return;
    }
    println!("QUARANTINE: nothing is signed or sent");
    for why in &why {
        println!("  {why}");
    }
    if found.lost.is_cut {
        println!("  older marks were removed: more may have been signed than is listed");
    }
    for account in &found.accounts {
        let Finding {
            account: id,
            chain,
            address,
            in_log,
            consumed,
            ..
        } = account;
        println!("{id} on {chain}, {address}: the log bound below {in_log}, the chain consumed {consumed}");
        for lost in &account.lost {
            println!("  {}", line(lost));
        }
        if account.unknown > 0 {
            println!(
                "  {} slots were consumed that neither log nor marks know: find out who signed, and compare open \
                 transfers of this account with the chain before you sign",
                account.unknown
            );
        }
        for gap in account.gaps() {
            println!(
                "  slot {gap} is not on chain: what this account sends later waits until that request comes again"
            );
        }
        if account.is_whole() {
            println!("  nothing is missing");
        }
    }
    left.print();
    let operators = here.config.operators.keys.len();
    if operators == 0 {
        println!("no operators are configured: name some in operators.keys, or nobody can release it");
    } else {
        println!(
            "{} of {operators} operators have to sign the statement",
            here.config.operators.threshold
        );
    }
}

fn line(lost: &LostBind) -> String {
    let (slot, execution) = (lost.bind.slot(), lost.bind.execution);
    let chain = if lost.is_consumed {
        "consumed on chain"
    } else {
        "not on chain yet"
    };
    let fate = match lost.status {
        Some(_) => "goes on with the same transaction",
        None => {
            "unknown here: the slot is kept for it, and a request that comes again gets the same transaction"
        }
    };
    format!("slot {slot} was signed for {execution} and is forgotten, {chain}: {fate}")
}

fn object(here: &Installation<'_>, found: &Reconciliation, left: &Left) -> Value {
    let account = |a: &Finding| {
        let lost: Vec<Value> = a
            .lost
            .iter()
            .map(|lost| {
                json!({
                    "slot": lost.bind.slot(), "execution": lost.bind.execution, "digest": lost.bind.digest,
                    "consumed": lost.is_consumed, "known": lost.status.is_some(),
                })
            })
            .collect();
        json!({
            "account": a.account, "chain": a.chain, "address": a.address, "boundBelow": a.in_log,
            "consumed": a.consumed, "lost": lost, "unknown": a.unknown, "gaps": a.gaps(),
        })
    };
    let mark = found.looked.mark.as_ref().map(|(name, _)| name.to_string());
    json!({
        "mark": mark,
        "quarantined": why(here, found),
        "marksCut": found.lost.is_cut,
        "accounts": found.accounts.iter().map(account).collect::<Vec<_>>(),
        "lostEvents": left.object(),
        "lostEventsUnread": left.remedy(),
        "statement": found.statement.to_string(),
    })
}
