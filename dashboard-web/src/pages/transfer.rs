//! A transfer: its sentence, its moving line, what can be decided about it.

mod actions;
mod tabs;

use super::unknown::absent;
use crate::figures::{elided, money};
use crate::graphql::{transfer as op, transfer_updates};
use crate::panel::Panel;
use crate::parts::{address_full, copy, fact, head_of, past, show, state, text, then, when};
use crate::request;
use crate::sentences;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use vaultstream_event_schemas::status::TransferStatus as S;

/// Entries that are read at most, the last ones; a transfer has a dozen, one that is sent again and again has more.
const EVENTS: i64 = 200;

/// How long an unfinished transfer may stay unread.
const SILENCE_MS: u64 = 10_000;

/// A transfer as this page reads it.
pub type Seen = op::TransferTransfer;

/// The page.
pub fn transfer(id: String) -> AnyView {
    let app = App::here();
    let id = StoredValue::new(id);
    let then = then(app);
    let panel = follow(app, id, then);
    let content = move |found: &Option<Seen>| match found {
        Some(transfer) => body(app, transfer),
        None => view! { <section class="card">{absent()}</section> }.into_any(),
    };
    let present = Memo::new(move |_| panel.data.with(|d| d.as_ref().is_some_and(Option::is_some)));
    let more = move || {
        present.get().then(|| {
            let decide = move || then.with(Option::is_none).then(|| actions::actions(app, panel));
            view! { <div class="columns"><div>{tabs::tabs(app, panel, then)}</div><div>{decide}{facts(app, panel)}</div></div> }
        })
    };
    view! { {head_of(Word::TransferTitle, ().into_any())}{past(app, then)}{show(panel, content)}{more} }
        .into_any()
}

fn follow(app: App, id: StoredValue<String>, then: Memo<Option<String>>) -> Panel<Option<Seen>> {
    let panel = Panel::new(move || {
        let as_of = then.get();
        let variables = op::Variables {
            id: id.get_value(),
            at_least: app.token.get_untracked().filter(|_| as_of.is_none()),
            as_of,
            events: EVENTS,
        };
        let answer = request::ask::<_, op::ResponseData>(op::QUERY, op::OPERATION_NAME, variables);
        Box::pin(async move {
            match answer.await {
                Ok(data) => Ok(data.transfer),
                Err(trouble) if trouble.is_not_found() => Ok(None),
                Err(trouble) => Err(trouble),
            }
        })
    });
    let variables = transfer_updates::Variables {
        vault_id: None,
        transfer_id: Some(id.get_value()),
    };
    let take = move |data: transfer_updates::ResponseData| {
        app.token.set(Some(data.transfer_updates.token));
        panel.reload();
    };
    app.live.subscribe(
        transfer_updates::QUERY,
        transfer_updates::OPERATION_NAME,
        &variables,
        take,
    );
    follow_events(app, panel);
    announce(app, panel);
    panel
}

/// The event stream leaves nothing out, so it is what an unfinished transfer relies on: whatever happens to its vault's
/// transfers and executions has it read again, and so does time, should both streams stay silent.
fn follow_events(app: App, panel: Panel<Option<Seen>>) {
    let open = move || {
        panel
            .data
            .with_untracked(|d| d.as_ref().and_then(Option::as_ref).is_some_and(|t| !t.terminal))
    };
    Effect::new(move |_| {
        let mine = app.event.with(|event| {
            let event = event
                .as_ref()
                .filter(|e| e.type_.starts_with("transfer.") || e.type_.starts_with("execution."));
            let vault = event.and_then(|e| e.vault_id.clone());
            vault.is_some_and(|id| {
                panel.data.with_untracked(|d| {
                    d.as_ref()
                        .and_then(Option::as_ref)
                        .is_some_and(|t| t.vault_id == id)
                })
            })
        });
        if mine && open() {
            panel.reload();
        }
    });
    Effect::new(move |_| {
        let now = app.now.get();
        let read = panel.state.at.get_untracked();
        if read.is_some_and(|at| at.age_ms(now) > SILENCE_MS) && open() {
            panel.reload();
        }
    });
}

/// Says a new state aloud, once.
fn announce(app: App, panel: Panel<Option<Seen>>) {
    let status = Memo::new(move |_| {
        panel
            .data
            .with(|d| d.as_ref().and_then(|d| d.as_ref().map(|t| t.status)))
    });
    Effect::new(move |before: Option<Option<S>>| {
        let now = status.get();
        if let (Some(Some(before)), Some(now)) = (before, now)
            && before != now
        {
            app.said.set(say(sentences::transfer(now).0).to_owned());
        }
        now
    });
}

/// The amount and the recipient, as sentences and buttons name them.
pub fn named(transfer: &Seen) -> (String, String) {
    let amount = money(
        transfer.amount.minor,
        transfer.amount.decimals,
        &transfer.amount.symbol,
    );
    (amount, elided(&transfer.destination))
}

fn sentence(transfer: &Seen) -> String {
    let word = match transfer.status {
        S::Requested | S::Screening => Word::SentenceRequested,
        S::AwaitingApproval => Word::SentenceAwaiting,
        S::Approved => Word::SentenceApproved,
        S::Executing => Word::SentenceExecuting,
        S::Completed => Word::SentenceCompleted,
        S::Failed => Word::SentenceFailed,
        S::Rejected => Word::SentenceRejected,
        S::Cancelled => Word::SentenceCancelled,
        S::Expired => Word::SentenceExpired,
        S::Reversed => Word::SentenceReversed,
    };
    let (amount, to) = named(transfer);
    let missing = (transfer.approvals_needed - transfer.approvals)
        .max(0)
        .to_string();
    let needed = transfer.approvals_needed.to_string();
    let values = [
        ("amount", amount.as_str()),
        ("from", &transfer.vault.name),
        ("to", &to),
        ("missing", &missing),
        ("needed", &needed),
    ];
    fill(word, &values)
}

fn body(app: App, transfer: &Seen) -> AnyView {
    let (word, tone) = sentences::transfer(transfer.status);
    let chain = app.chain_name(&transfer.chain.id);
    view! {
        <div class="head"><div>
            <p class="sentence" data-status=transfer.status.as_str()>{sentence(transfer)}</p>
            <div class="chips">{state(say(word).to_owned(), tone)}<span class="soft">{chain}</span><span class="soft">{when(transfer.requested_at)}</span></div>
        </div></div>
    }
    .into_any()
}

fn facts(app: App, panel: Panel<Option<Seen>>) -> AnyView {
    let content = move |found: &Option<Seen>| found.as_ref().map_or_else(|| ().into_any(), |t| list(app, t));
    view! {
        <section class="card" aria-labelledby="facts">
            <header><h2 id="facts">{say(Word::Facts)}</h2></header>
            <div class="inside">{show(panel, content)}</div>
        </section>
    }
    .into_any()
}

fn list(app: App, t: &Seen) -> AnyView {
    let me = app
        .who
        .with(|w| w.as_ref().map(|w| w.actor.clone()))
        .unwrap_or_default();
    let (amount, _) = named(t);
    let fee = t.fee.as_ref().map(|f| money(f.minor, f.decimals, &f.symbol));
    let fee_max = t.fee_max.as_ref().map(|f| money(f.minor, f.decimals, &f.symbol));
    let txid = t.executions.last().and_then(|e| e.txid.clone());
    let block = t
        .executions
        .last()
        .and_then(|e| e.block.as_ref())
        .map(|b| b.height.to_string());
    let lapses = (t.status == S::AwaitingApproval).then(|| crate::browser::short_time(t.expires_at));
    let why = t
        .failure
        .as_ref()
        .map(|f| format!("{} {}", f.detail, f.remedy.clone().unwrap_or_default()));
    let why = why.or_else(|| t.reason.clone());
    let words = |word: Word, value: Option<String>| value.map(|value| fact(word, text(value)));
    let hash = |word: Word, what: Word, value: String| {
        fact(
            word,
            view! { <span class="mono small">{value.clone()}</span>{copy(what, value)} }.into_any(),
        )
    };
    let from = t.account.address.as_deref().map(crate::parts::address);
    let from =
        view! { <a href=format!("/vaults/{}", t.vault_id)>{t.vault.name.clone()}</a>" "{from} }.into_any();
    let to =
        view! { {address_full(&t.destination)}{copy(Word::WhatAddress, t.destination.clone())} }.into_any();
    let memo = if t.memo_erased {
        Some(say(Word::FactErased).to_owned())
    } else {
        t.memo.clone()
    };
    let facts: Vec<Option<AnyView>> = vec![
        words(Word::FactFailure, why),
        words(Word::FactAmount, Some(amount)),
        Some(fact(Word::FactFrom, from)),
        Some(fact(Word::FactTo, to)),
        words(Word::FactNetwork, Some(t.chain.name.clone())),
        words(Word::FactFee, fee),
        words(Word::FactFeeMax, fee_max),
        txid.map(|id| hash(Word::FactTransaction, Word::WhatHash, id)),
        words(Word::FactBlock, block),
        words(Word::FactRule, t.rule.clone()),
        words(
            Word::FactRequestedBy,
            Some(sentences::actor(&t.requested_by, &me)),
        ),
        words(Word::FactExternalId, t.external_id.clone()),
        words(Word::FactMemo, memo),
        words(Word::FactExpires, lapses),
        Some(hash(Word::FactId, Word::WhatId, t.id.clone())),
    ];
    view! { <dl class="facts">{facts}</dl> }.into_any()
}
