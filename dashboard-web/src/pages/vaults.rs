//! The list of vaults. Filters, sort and page are in the address.

use crate::graphql::{VaultRow, vaults as op};
use crate::icons::{Icon, icon};
use crate::panel::Panel;
use crate::parts::{Kind, amount, empty, head_of, no_match, show, state, table, text, when};
use crate::request;
use crate::route::Query;
use crate::sentences;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use vaultstream_event_schemas::status::VaultStatus;

const PAGE: i64 = 25;
const PATH: &str = "/vaults";

fn ask(query: &Query, at_least: Option<String>) -> op::Variables {
    op::Variables {
        first: PAGE,
        after: query.get("after").map(str::to_owned),
        status: query.get("status").and_then(|s| s.parse().ok()),
        name_prefix: query.get("name").map(str::to_owned),
        sort: match query.get("sort") {
            Some("oldest") => op::VaultSort::oldest,
            Some("name") => op::VaultSort::name,
            Some("activity") => op::VaultSort::activity,
            _ => op::VaultSort::newest,
        },
        at_least,
    }
}

/// The page.
pub fn vaults() -> AnyView {
    let app = App::here();
    let panel = Panel::new(move || {
        let variables = ask(&app.place.query.get(), app.token.get_untracked());
        let answer = request::ask::<_, op::ResponseData>(op::QUERY, op::OPERATION_NAME, variables);
        Box::pin(async move { answer.await.map(|data| data.vaults) })
    });
    Effect::new(move |_| {
        let changes = app.event.with(|e| {
            e.as_ref()
                .is_some_and(|e| e.type_.starts_with("vault.") || e.type_ == "account.balance_observed")
        });
        if changes {
            panel.reload();
        }
    });
    let content = move |page: &op::VaultsVaults| {
        let query = app.place.query.get();
        if page.nodes.is_empty() {
            let filtered = ["name", "status", "after"]
                .iter()
                .any(|name| query.get(name).is_some());
            return if filtered {
                no_match(PATH.into())
            } else {
                nothing()
            };
        }
        let rows: Vec<_> = page.nodes.iter().map(row).collect();
        let next = page
            .page_info
            .has_next_page
            .then(|| page.page_info.end_cursor.clone())
            .flatten();
        view! { {table(&COLUMNS, rows)}{pager(&query, PATH, next)} }.into_any()
    };
    let action = view! { <a class="button primary" href="/vaults/new">{say(Word::NewVault)}</a> }.into_any();
    view! {
        {head_of(Word::NavVaults, action)}
        {filters(app)}
        <section class="card" aria-label=say(Word::NavVaults)>{show(panel, content)}</section>
    }
    .into_any()
}

fn nothing() -> AnyView {
    let action = view! { <a class="button" href="/vaults/new">{say(Word::NewVault)}</a> }.into_any();
    empty(Word::VaultsNothing, Word::VaultsNothingWords, Some(action))
}

const COLUMNS: [(Word, Kind); 6] = [
    (Word::ColumnName, Kind::Lead),
    (Word::ColumnHolds, Kind::Number),
    (Word::ColumnAccounts, Kind::Number),
    (Word::ColumnTier, Kind::Plain),
    (Word::ColumnStatus, Kind::Plain),
    (Word::ColumnCreated, Kind::Soft),
];

fn row(vault: &VaultRow) -> Vec<AnyView> {
    let (word, tone) = sentences::vault(vault.status);
    let held = vault
        .totals
        .iter()
        .map(|t| view! { <div>{amount(t.minor, t.decimals, &t.symbol)}</div> });
    let held: Vec<_> = held.collect();
    vec![
        view! { <a class="row" href=format!("{PATH}/{}", vault.id)>{vault.name.clone()}</a> }.into_any(),
        view! { <div>{held}</div> }.into_any(),
        text(vault.accounts.len().to_string()),
        text(say(sentences::tier(vault.tier)).to_owned()),
        state(say(word).to_owned(), tone),
        when(vault.created_at),
    ]
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
    let statuses: Vec<_> = VaultStatus::ALL
        .iter()
        .map(|s| view! { <option value=s.as_str()>{say(sentences::vault(*s).0)}</option> })
        .collect();
    let chips = move || {
        let query = app.place.query.get();
        let name = query
            .get("name")
            .map(|v| ("name", fill(Word::FilterNameIs, &[("value", v)])));
        let status = query.get("status").and_then(|s| s.parse().ok());
        let status = status.map(|s| ("status", say(sentences::vault(s).0).to_owned()));
        name.into_iter()
            .chain(status)
            .map(|(key, label)| chip(app, key, &label))
            .collect::<Vec<_>>()
    };
    view! {
        <div class="chips">
            <label>{say(Word::FilterName)}<input type="text" autocomplete="off" prop:value=value("name") on:change=set("name")/></label>
            <label>{say(Word::FilterStatus)}
                <select prop:value=value("status") on:change=set("status")><option value="">{say(Word::FilterAny)}</option>{statuses}</select>
            </label>
            <label>{say(Word::SortLabel)}
                <select prop:value=value("sort") on:change=set("sort")>
                    <option value="">{say(Word::SortNewest)}</option>
                    <option value="oldest">{say(Word::SortOldest)}</option>
                    <option value="name">{say(Word::SortName)}</option>
                    <option value="activity">{say(Word::SortActivity)}</option>
                </select>
            </label>
            {chips}
        </div>
    }
    .into_any()
}

/// An active filter, with a button that takes it away.
pub fn chip(app: App, key: &'static str, label: &str) -> AnyView {
    let clear = fill(Word::ClearFilter, &[("filter", label)]);
    view! {
        <span class="chip">{label.to_owned()}
            <button type="button" aria-label=clear on:click=move |_| app.place.set(key, "")>{icon(Icon::Close)}</button>
        </span>
    }
    .into_any()
}

/// Where the list goes on.
pub fn pager(query: &Query, path: &str, next: Option<String>) -> AnyView {
    let first = query.get("after").map(|_| {
        let address = query.with("after", "").on(path);
        view! { <a class="button" href=address>{say(Word::FirstPage)}</a> }
    });
    let next = next.map(|cursor| {
        let address = query.with("after", &cursor).on(path);
        view! { <a class="button" href=address>{say(Word::NextPage)}</a> }
    });
    if first.is_none() && next.is_none() {
        return ().into_any();
    }
    view! { <div class="pager">{first}{next}</div> }.into_any()
}
