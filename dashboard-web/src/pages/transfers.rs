//! The list of transfers, alive. Filters, sort and page are in the address.

use super::vaults::{chip, pager};
use crate::graphql::{TransferRow, transfers as op};
use crate::parts::{empty, head_of, no_match, transfer_rows, transfer_table};
use crate::route::Query;
use crate::sentences;
use crate::state::App;
use crate::words::{Word, say};
use leptos::prelude::*;
use vaultstream_event_schemas::status::TransferStatus;

const PAGE: i64 = 50;
const PATH: &str = "/transfers";

fn ask(query: &Query) -> op::Variables {
    let text = |name: &str| query.get(name).map(str::to_owned);
    op::Variables {
        first: PAGE,
        after: text("after"),
        sort: match query.get("sort") {
            Some("oldest") => op::TransferSort::oldest,
            _ => op::TransferSort::newest,
        },
        vault_id: text("vault"),
        status: query.get("status").and_then(|s| s.parse().ok()),
        open: query.get("open").map(|v| v == "true"),
        chain: text("chain"),
    }
}

/// Whether a changed transfer belongs to the list: the same filter as the server's.
fn belongs(filter: &op::Variables, row: &TransferRow) -> bool {
    filter.vault_id.as_ref().is_none_or(|id| *id == row.vault_id)
        && filter.status.is_none_or(|s| s == row.status)
        && filter.open.is_none_or(|open| open != row.status.is_terminal())
        && filter.chain.as_ref().is_none_or(|id| *id == row.chain.id)
}

/// The page.
pub fn transfers() -> AnyView {
    let app = App::here();
    let asked = Signal::derive(move || app.place.query.with(ask));
    let live = transfer_rows(asked, Box::new(move |row| belongs(&asked.get_untracked(), row)));
    let nothing = move || {
        let filtered = app.place.query.with(|q| {
            ["vault", "status", "open", "chain", "after"]
                .iter()
                .any(|name| q.get(name).is_some())
        });
        if filtered {
            return no_match(PATH.into());
        }
        let action =
            view! { <a class="button" href="/transfers/new">{say(Word::NewTransfer)}</a> }.into_any();
        empty(Word::TransfersNothing, Word::TransfersNothingWords, Some(action))
    };
    let pages = move || {
        let next = live.0.data.with(|page| {
            let info = page
                .as_ref()
                .map(|p| &p.page_info)
                .filter(|info| info.has_next_page);
            info.and_then(|info| info.end_cursor.clone())
        });
        pager(&app.place.query.get(), PATH, next)
    };
    let action =
        view! { <a class="button primary" href="/transfers/new">{say(Word::NewTransfer)}</a> }.into_any();
    view! {
        {head_of(Word::NavTransfers, action)}
        {filters(app)}
        <section class="card" aria-label=say(Word::NavTransfers)>{transfer_table(live, Box::new(nothing))}{pages}</section>
    }
    .into_any()
}

fn filters(app: App) -> AnyView {
    let value = move |name: &'static str| {
        move || {
            app.place
                .query
                .with(|q| q.get(name).unwrap_or_default().to_owned())
        }
    };
    let set = move |name: &'static str| move |event| app.place.set(name, &event_target_value(&event));
    let statuses: Vec<_> = TransferStatus::ALL
        .iter()
        .map(|s| view! { <option value=s.as_str()>{say(sentences::transfer(*s).0)}</option> })
        .collect();
    let chains: Vec<_> = app
        .chains
        .with_untracked(|chains| {
            chains
                .iter()
                .map(|c| (c.id.clone(), c.name.clone()))
                .collect::<Vec<_>>()
        })
        .into_iter()
        .map(|(id, name)| view! { <option value=id>{name}</option> })
        .collect();
    let chips = move || {
        let query = app.place.query.get();
        let status = query.get("status").and_then(|s| s.parse().ok());
        let status = status.map(|s| ("status", say(sentences::transfer(s).0).to_owned()));
        let open = query.get("open").map(|v| {
            if v == "true" {
                Word::FilterMoving
            } else {
                Word::FilterOver
            }
        });
        let open = open.map(|word| ("open", say(word).to_owned()));
        let chain = query.get("chain").map(|id| ("chain", app.chain_name(id)));
        let vault = query
            .get("vault")
            .map(|_| ("vault", say(Word::FilterVaultIs).to_owned()));
        let all = [status, open, chain, vault].into_iter().flatten();
        all.map(|(key, label)| chip(app, key, &label)).collect::<Vec<_>>()
    };
    view! {
        <div class="chips">
            <label>{say(Word::FilterOpen)}
                <select prop:value=value("open") on:change=set("open")>
                    <option value="">{say(Word::FilterAny)}</option>
                    <option value="true">{say(Word::FilterMoving)}</option>
                    <option value="false">{say(Word::FilterOver)}</option>
                </select>
            </label>
            <label>{say(Word::FilterStatus)}
                <select prop:value=value("status") on:change=set("status")><option value="">{say(Word::FilterAny)}</option>{statuses}</select>
            </label>
            <label>{say(Word::FilterChain)}
                <select prop:value=value("chain") on:change=set("chain")><option value="">{say(Word::FilterAny)}</option>{chains}</select>
            </label>
            <label>{say(Word::SortLabel)}
                <select prop:value=value("sort") on:change=set("sort")>
                    <option value="">{say(Word::SortNewest)}</option>
                    <option value="oldest">{say(Word::SortOldest)}</option>
                </select>
            </label>
            {chips}
        </div>
    }
    .into_any()
}
