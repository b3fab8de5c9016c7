//! A vault: what it holds, where it receives, what moved.

use super::unknown::absent;
use crate::graphql::{BalanceRow, balance_updates, transfers, vault as op, vault_updates};
use crate::panel::Panel;
use crate::parts::{
    Kind, address, amount, copy, empty, head, past, problem, show, state, table, then, transfer_rows,
    transfer_table, when,
};
use crate::request::{self, Outgoing};
use crate::rows::{Row, bring};
use crate::sentences;
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use vaultstream_client::FaucetRequest;
use vaultstream_event_schemas::Amount;
use wasm_bindgen_futures::spawn_local;

const TRANSFERS: i64 = 20;
/// A vault has at most this many balances on screen; accounts times assets.
const BALANCES: usize = 500;

type Seen = op::VaultVault;

impl Row for BalanceRow {
    fn key(&self) -> &str {
        // Balances of one account at a time are brought in, and an account holds an asset once.
        &self.asset
    }
    fn version(&self) -> i64 {
        i64::try_from(self.block.height).unwrap_or(i64::MAX)
    }
}

/// The page.
pub fn vault(id: String) -> AnyView {
    let app = App::here();
    let id = StoredValue::new(id);
    let then = then(app);
    let panel = follow(app, id, then);
    let title = move || {
        let name = panel
            .data
            .with(|d| d.as_ref().and_then(|d| d.as_ref().map(|v| v.name.clone())));
        name.unwrap_or_else(|| say(Word::VaultTitle).to_owned())
    };
    let now = move || then.with(Option::is_none);
    let send = move || {
        let href = format!("/transfers/new?vault={}", id.get_value());
        now().then(|| view! { <a class="button primary" href=href>{say(Word::Send)}</a> })
    };
    let content = move |found: &Option<Seen>| match found {
        Some(vault) => body(app, vault, now()),
        None => view! { <section class="card">{absent()}</section> }.into_any(),
    };
    let lists = move || now().then(|| moved(id));
    view! { {head(Signal::derive(title), send.into_any())}{past(app, then)}{show(panel, content)}{lists} }
        .into_any()
}

fn follow(app: App, id: StoredValue<String>, then: Memo<Option<String>>) -> Panel<Option<Seen>> {
    let panel = Panel::new(move || {
        let as_of = then.get();
        let variables = op::Variables {
            id: id.get_value(),
            at_least: app.token.get_untracked().filter(|_| as_of.is_none()),
            as_of,
        };
        let answer = request::ask::<_, op::ResponseData>(op::QUERY, op::OPERATION_NAME, variables);
        Box::pin(async move {
            match answer.await {
                Ok(data) => Ok(data.vault),
                Err(trouble) if trouble.is_not_found() => Ok(None),
                Err(trouble) => Err(trouble),
            }
        })
    });
    let variables = balance_updates::Variables {
        vault_id: id.get_value(),
    };
    let take = move |data: balance_updates::ResponseData| {
        // what comes in now is not what was
        if then.with_untracked(Option::is_some) {
            return;
        }
        let row = data.balance_updates.balance;
        panel.data.update(|data| {
            if let Some(Some(vault)) = data {
                let own = |b: &BalanceRow| b.account_id == row.account_id;
                let (mut mine, others): (Vec<_>, Vec<_>) = vault.balances.drain(..).partition(own);
                bring(&mut mine, row, true, true, BALANCES);
                vault.balances.extend(others);
                vault.balances.extend(mine);
                vault
                    .balances
                    .sort_by(|a, b| (&a.account_id, &a.asset).cmp(&(&b.account_id, &b.asset)));
            }
        });
    };
    app.live.subscribe(
        balance_updates::QUERY,
        balance_updates::OPERATION_NAME,
        &variables,
        take,
    );
    let variables = vault_updates::Variables {
        vault_id: Some(id.get_value()),
    };
    let take = move |data: vault_updates::ResponseData| {
        app.token.set(Some(data.vault_updates.token));
        panel.reload();
    };
    app.live.subscribe(
        vault_updates::QUERY,
        vault_updates::OPERATION_NAME,
        &variables,
        take,
    );
    panel
}

fn body(app: App, vault: &Seen, now: bool) -> AnyView {
    let (word, tone) = sentences::vault(vault.status);
    view! {
        <div class="chips">
            {state(say(word).to_owned(), tone)}
            <span class="soft">{say(sentences::tier(vault.tier))}</span>
            <span class="soft mono small">{vault.id.clone()}</span>{copy(Word::WhatId, vault.id.clone())}
        </div>
        <div class="columns"><div>{balances(app, vault)}</div><div>{accounts(app, vault, now)}</div></div>
    }
    .into_any()
}

const COLUMNS: [(Word, Kind); 3] = [
    (Word::ColumnAsset, Kind::Lead),
    (Word::ColumnBalance, Kind::Number),
    (Word::ColumnBlock, Kind::Soft),
];

fn balances(app: App, vault: &Seen) -> AnyView {
    let row = |b: &BalanceRow| {
        let chain = app.chain_of(&b.asset);
        vec![
            view! { {b.symbol.clone()}" "<span class="soft small">{chain}</span> }.into_any(),
            amount(b.minor, b.decimals, &b.symbol),
            view! { <span>{b.block.height}", "{when(b.observed_at)}</span> }.into_any(),
        ]
    };
    let content = if vault.balances.is_empty() {
        empty(Word::BalancesNothing, Word::BalancesNothingWords, None)
    } else {
        table(&COLUMNS, vault.balances.iter().map(row).collect())
    };
    view! {
        <section class="card" aria-labelledby="balances">
            <header><h2 id="balances">{say(Word::Balances)}</h2></header>{content}
        </section>
    }
    .into_any()
}

fn accounts(app: App, vault: &Seen, now: bool) -> AnyView {
    let rows: Vec<_> = vault
        .accounts
        .iter()
        .map(|account| {
            let (word, tone) = sentences::account(account.status);
            let place = match &account.address {
                Some(text) => view! { {address(text)}{copy(Word::WhatAddress, text.clone())} }.into_any(),
                None => view! { <span class="soft">{say(Word::AddressPending)}</span> }.into_any(),
            };
            let name = account.label.clone().unwrap_or_else(|| account.chain.name.clone());
            let faucet = account.address.clone().filter(|_| now && account.chain.sandbox && app.may("sandbox:faucet"));
            let faucet = faucet.map(|address| faucet_button(app, &account.chain.id, account.chain.slug.clone(), address));
            view! {
                <li><div class="item">
                    <span class="main">{name}</span><span class="side">{state(say(word).to_owned(), tone)}</span>
                    <span class="sub">{place}</span><span class="side">{faucet}</span>
                </div></li>
            }
        })
        .collect();
    let content = if rows.is_empty() {
        empty(Word::AccountsNothing, Word::AccountsNothingWords, None)
    } else {
        view! { <ul class="list">{rows}</ul> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby="accounts">
            <header><h2 id="accounts">{say(Word::Accounts)}</h2></header>{content}
        </section>
    }
    .into_any()
}

/// Asks a sandbox faucet for one whole unit of the native asset.
fn faucet_button(app: App, chain: &str, slug: String, address: String) -> Option<AnyView> {
    let native = app.chains.with(|chains| {
        let chain = chains.iter().find(|c| c.id == chain)?;
        chain
            .assets
            .iter()
            .find(|a| a.native)
            .map(|a| (a.symbol.clone(), a.decimals))
    });
    let (symbol, decimals) = native?;
    let one = Amount::from_decimal("1", crate::figures::places(decimals)).ok()?;
    let trouble = RwSignal::new(None::<Trouble>);
    let press = move |_| {
        let body = FaucetRequest {
            address: address.clone(),
            amount: one.to_string(),
        };
        let path = format!("/v1/sandbox/{slug}/faucet");
        spawn_local(async move {
            match request::text(Outgoing::post(path, &body)).await {
                Ok(_) => {
                    let _ = trouble.try_set(None);
                    app.said.set(say(Word::FaucetAsked).to_owned());
                }
                Err(refused) => {
                    let _ = trouble.try_set(Some(refused));
                }
            }
        });
    };
    let label = fill(Word::FaucetButton, &[("symbol", &symbol)]);
    Some(
        view! {
            <button type="button" class="button quiet" on:click=press>{label}</button>
            {move || trouble.get().map(|t| problem(&t, None, None))}
        }
        .into_any(),
    )
}

fn moved(id: StoredValue<String>) -> AnyView {
    let ask = move || transfers::Variables {
        first: TRANSFERS,
        after: None,
        sort: transfers::TransferSort::newest,
        vault_id: Some(id.get_value()),
        status: None,
        open: None,
        chain: None,
    };
    let live = transfer_rows(
        Signal::derive(ask),
        Box::new(move |row| id.with_value(|id| row.vault_id == *id)),
    );
    let nothing = || empty(Word::TransfersNothing, Word::TransfersNothingWords, None);
    view! {
        <section class="card" aria-labelledby="moved">
            <header>
                <h2 id="moved">{say(Word::VaultTransfers)}</h2>
                <span class="right"><a href=format!("/transfers?vault={}", id.get_value())>{say(Word::SeeAll)}</a></span>
            </header>
            {transfer_table(live, Box::new(nothing))}
        </section>
    }
    .into_any()
}
