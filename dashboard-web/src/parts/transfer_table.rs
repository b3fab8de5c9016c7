//! The table of transfers, alive: rows change in place, new ones go on top or wait behind a bar.

use super::{Kind, address, amount, empty, show, state, table, text, when};
use crate::browser;
use crate::graphql::{TransferRow, transfer_updates, transfers};
use crate::panel::Panel;
use crate::request;
use crate::rows::{Change, Row, bring};
use crate::sentences::{self, Tone};
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;

impl Row for TransferRow {
    fn key(&self) -> &str {
        &self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// A page of the list.
pub type Listed = transfers::TransfersTransfers;

/// A live list: what it asks for, and which changed transfers belong to it.
pub fn transfer_rows(
    ask: Signal<transfers::Variables>,
    belongs: Box<dyn Fn(&TransferRow) -> bool>,
) -> (Panel<Listed>, RwSignal<u32>) {
    let app = App::here();
    let waiting = RwSignal::new(0_u32);
    let panel = Panel::new(move || {
        let answer = request::ask::<_, transfers::ResponseData>(
            transfers::QUERY,
            transfers::OPERATION_NAME,
            ask.get(),
        );
        waiting.set(0);
        Box::pin(async move { answer.await.map(|data| data.transfers) })
    });
    let all = transfer_updates::Variables {
        vault_id: None,
        transfer_id: None,
    };
    app.live.subscribe(
        transfer_updates::QUERY,
        transfer_updates::OPERATION_NAME,
        &all,
        move |data: transfer_updates::ResponseData| {
            let row = data.transfer_updates.transfer;
            let asked = ask.get_untracked();
            let first_page = asked.after.is_none() && asked.sort == transfers::TransferSort::newest;
            let belongs = belongs(&row);
            let limit = usize::try_from(asked.first).unwrap_or(50);
            let change = panel.data.try_update(|page| {
                let page = page.as_mut()?;
                Some(bring(
                    &mut page.nodes,
                    row,
                    belongs,
                    first_page && !browser::is_scrolled(),
                    limit,
                ))
            });
            if change.flatten() == Some(Change::Waiting) && first_page {
                waiting.update(|n| *n += 1);
            }
        },
    );
    (panel, waiting)
}

/// The table over a live list. `nothing` is what stands there without a row.
pub fn transfer_table(
    (panel, waiting): (Panel<Listed>, RwSignal<u32>),
    nothing: Box<dyn Fn() -> AnyView + Send>,
) -> AnyView {
    let fresh = move || {
        (waiting.get() > 0).then(|| {
            let text = fill(Word::NewRows, &[("n", &waiting.get().to_string())]);
            let press = move |_| {
                browser::scroll_to_top();
                panel.reload();
            };
            view! { <button type="button" class="button primary fresh" on:click=press>{text}</button> }
        })
    };
    let content = move |page: &Listed| {
        if page.nodes.is_empty() {
            return nothing();
        }
        table(&COLUMNS, page.nodes.iter().map(row).collect())
    };
    view! { {fresh}{show(panel, content)} }.into_any()
}

const COLUMNS: [(Word, Kind); 6] = [
    (Word::ColumnFrom, Kind::Lead),
    (Word::ColumnTo, Kind::Plain),
    (Word::ColumnAmount, Kind::Number),
    (Word::ColumnChain, Kind::Plain),
    (Word::ColumnStage, Kind::Plain),
    (Word::ColumnWhen, Kind::Soft),
];

fn row(row: &TransferRow) -> Vec<AnyView> {
    let (_, tone) = sentences::transfer(row.status);
    let tone = if sentences::is_troubled(row) {
        Tone::Wait
    } else {
        tone
    };
    let name = sentences::transfer_line(row);
    let href = format!("/transfers/{}", row.id);
    vec![
        view! { <a class="row" href=href aria-label=name>{row.vault.name.clone()}</a> }.into_any(),
        address(&row.destination),
        amount(row.amount.minor, row.amount.decimals, &row.amount.symbol),
        text(row.chain.name.clone()),
        state(sentences::stage(row), tone),
        when(row.requested_at),
    ]
}

/// What stands in an empty list that filters made empty.
pub fn no_match(clear: String) -> AnyView {
    let action = view! { <a class="button" href=clear>{say(Word::ClearFilters)}</a> }.into_any();
    empty(Word::NoMatch, Word::NoMatchWords, Some(action))
}
