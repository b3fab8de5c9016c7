//! Home answers in five seconds: what needs me, what is moving, what is there, how the chains are, what happened.

use crate::browser;
use crate::frame::Waiting;
use crate::graphql::{EventRow, TransferRow, feed, totals};
use crate::moment::ago;
use crate::panel::Panel;
use crate::parts::{Listed, amount, empty, head_of, show, state, when};
use crate::request;
use crate::rows::{Row, bring};
use crate::sentences::{self, Names, Tone};
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use vaultstream_event_schemas::status::TransferStatus;

const EVENTS: usize = 20;

impl Row for EventRow {
    fn key(&self) -> &str {
        &self.id
    }
}

/// The page.
pub fn home() -> AnyView {
    let action =
        view! { <a class="button primary" href="/transfers/new">{say(Word::NewTransfer)}</a> }.into_any();
    let app = App::here();
    let aside = Memo::new(move |_| app.quarantined());
    let quarantined = move || {
        let words = fill(Word::Quarantined, &[("n", &aside.get().to_string())]);
        (aside.get() > 0).then(|| view! { <p class="notice bad">{words}</p> })
    };
    view! {
        {head_of(Word::NavHome, action)}
        {quarantined}
        <div class="columns">
            <div>{needs_you()}{moving_now()}{latest()}</div>
            <div>{sums()}{chains()}</div>
        </div>
    }
    .into_any()
}

fn needs_someone(row: &TransferRow) -> bool {
    row.status == TransferStatus::AwaitingApproval || sentences::is_troubled(row)
}

fn frame_waiting() -> Panel<Listed> {
    expect_context::<Waiting>().0
}

fn items(
    page: &Listed,
    wanted: impl Fn(&TransferRow) -> bool,
    word: impl Fn(&TransferRow) -> String,
) -> Vec<AnyView> {
    let rows = page.nodes.iter().filter(|row| wanted(row));
    rows.map(|row| {
        let tone = sentences::transfer(row.status).1;
        let tone = if sentences::is_troubled(row) {
            Tone::Wait
        } else {
            tone
        };
        view! {
            <li><a class="item" href=format!("/transfers/{}", row.id)>
                <span class="main">{sentences::transfer_line(row)}</span>
                <span class="side">{state(sentences::stage(row), tone)}</span>
                <span class="sub">{word(row)}</span>
                <span class="side sub">{when(row.requested_at)}</span>
            </a></li>
        }
        .into_any()
    })
    .collect()
}

fn needs_you() -> AnyView {
    let waiting = frame_waiting();
    let content = move |page: &Listed| {
        let next = |row: &TransferRow| {
            let troubled = sentences::is_troubled(row);
            say(if troubled {
                Word::NeedsLook
            } else {
                Word::NeedsApproval
            })
            .to_owned()
        };
        let list = items(page, needs_someone, next);
        if list.is_empty() {
            return empty(Word::NeedsNothing, Word::NeedsNothingWords, None);
        }
        view! { <ul class="list">{list}</ul> }.into_any()
    };
    let urgent = move || {
        waiting
            .data
            .with(|d| d.iter().flat_map(|p| &p.nodes).any(needs_someone))
    };
    view! {
        <section class="card" class:wait=urgent aria-labelledby="needs">
            <header><h2 id="needs">{say(Word::NeedsYou)}</h2></header>
            {show(waiting, content)}
        </section>
    }
    .into_any()
}

fn moving_now() -> AnyView {
    let content = |page: &Listed| {
        let list = items(page, |row| !needs_someone(row), |row| row.chain.name.clone());
        if list.is_empty() {
            return empty(Word::MovingNothing, Word::MovingNothingWords, None);
        }
        view! { <ul class="list">{list}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="moving">
            <header>
                <h2 id="moving">{say(Word::MovingNow)}</h2>
                <span class="right"><a href="/transfers">{say(Word::SeeAll)}</a></span>
            </header>
            {show(frame_waiting(), content)}
        </section>
    }
    .into_any()
}

fn sums() -> AnyView {
    let app = App::here();
    let ask =
        || request::ask::<_, totals::ResponseData>(totals::QUERY, totals::OPERATION_NAME, totals::Variables);
    let panel = Panel::new(ask);
    Effect::new(move |_| {
        // Totals change with balances and with vaults; nothing else is worth asking again for.
        let kind = app.event.with(|e| e.as_ref().map(|e| e.type_.clone()));
        let counts =
            |k: &str| k == "account.balance_observed" || k == "vault.created" || k == "vault.account_added";
        if kind.is_some_and(|k: String| counts(&k)) {
            panel.reload();
        }
    });
    let content = move |data: &totals::ResponseData| {
        let totals = &data.totals;
        if totals.assets.is_empty() {
            let action = view! { <a class="button" href="/vaults/new">{say(Word::NewVault)}</a> }.into_any();
            return empty(Word::TotalsNothing, Word::TotalsNothingWords, Some(action));
        }
        let assets: Vec<_> = totals
            .assets
            .iter()
            .map(|a| {
                let big = amount(a.minor, a.decimals, &a.symbol);
                view! { <div><span class="big">{big}</span><span class="soft small">{app.chain_of(&a.asset)}</span></div> }
            })
            .collect();
        view! { <div class="totals">{assets}</div> }.into_any()
    };
    let counts = move || {
        panel.data.with(|d| {
            d.as_ref().map(|d| {
                let (vaults, accounts) = (d.totals.vaults.to_string(), d.totals.accounts.to_string());
                fill(
                    Word::TotalsCounts,
                    &[("vaults", &vaults), ("accounts", &accounts)],
                )
            })
        })
    };
    view! {
        <section class="card" aria-labelledby="totals">
            <header><h2 id="totals">{say(Word::Totals)}</h2><span class="right">{counts}</span></header>
            {show(panel, content)}
        </section>
    }
    .into_any()
}

fn chains() -> AnyView {
    let app = App::here();
    let chain = move |index: usize| {
        let head = move || app.heads.with(|heads| heads.get(index).cloned());
        let line = move || {
            let head = head()?;
            let Some(at) = head.chain.head else {
                return Some(state(say(Word::ChainWaiting).to_owned(), Tone::Wait));
            };
            let age = ago(at.age_ms + head.at.age_ms(app.now.get()));
            let words = fill(
                Word::ChainHead,
                &[("height", &at.height.to_string()), ("age", &age)],
            );
            Some(state(words, Tone::Good))
        };
        let depth = move || {
            let at = head()?.chain.head?;
            let (last, depth) = (at.finalized.height, at.height.saturating_sub(at.finalized.height));
            Some(fill(
                Word::ChainFinal,
                &[("height", &last.to_string()), ("depth", &depth.to_string())],
            ))
        };
        let name = move || head().map(|h| h.chain.name);
        let kind = move || {
            head()
                .filter(|h| h.chain.sandbox)
                .map(|_| say(Word::ChainSandbox))
        };
        view! {
            <li><span><strong>{name}</strong>" "<span class="soft small">{kind}</span></span>{line}<span class="soft small">{depth}</span></li>
        }
    };
    let count = Memo::new(move |_| app.heads.with(Vec::len));
    let list = move || (0..count.get()).map(chain).collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="chains" hidden=move || count.get() == 0>
            <header><h2 id="chains">{say(Word::ChainHealth)}</h2></header>
            <ul class="chain-strip">{list}</ul>
        </section>
    }
    .into_any()
}

fn latest() -> AnyView {
    let app = App::here();
    let panel = Panel::new(|| {
        let variables = feed::Variables { first: 20 };
        request::ask::<_, feed::ResponseData>(feed::QUERY, feed::OPERATION_NAME, variables)
    });
    Effect::new(move |_| {
        if let Some(event) = app.event.get() {
            panel.data.try_update(|data| {
                let nodes = &mut data.as_mut()?.feed.nodes;
                Some(bring(nodes, event, true, true, EVENTS))
            });
        }
    });
    let content = move |data: &feed::ResponseData| {
        if data.feed.nodes.is_empty() {
            return empty(Word::EventsNothing, Word::EventsNothingWords, None);
        }
        let rows: Vec<_> = data.feed.nodes.iter().map(|event| line(app, event)).collect();
        view! { <ul class="list feed">{rows}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="latest">
            <header><h2 id="latest">{say(Word::LatestEvents)}</h2></header>
            {show(panel, content)}
        </section>
    }
    .into_any()
}

fn line(app: App, event: &EventRow) -> AnyView {
    let me = app
        .who
        .with(|who| who.as_ref().map(|w| w.actor.clone()))
        .unwrap_or_default();
    let money = |asset: &str, minor| app.money(asset, minor);
    let chain = |id: &str| app.chain_name(id);
    let names = Names {
        me: &me,
        money: &money,
        chain: &chain,
    };
    let sentence = sentences::event(event, &names);
    let age = when(event.occurred_at);
    let title = browser::iso(event.occurred_at);
    match sentences::event_link(event) {
        Some(href) => view! {
            <li><a class="item" href=href title=title><span class="main">{sentence}</span><span class="side sub">{age}</span></a></li>
        }
        .into_any(),
        None => view! {
            <li><div class="item" title=title><span class="main">{sentence}</span><span class="side sub">{age}</span></div></li>
        }
        .into_any(),
    }
}
