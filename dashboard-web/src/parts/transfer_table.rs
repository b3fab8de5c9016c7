//! The table of transfers, alive: rows change in place, new ones go on top or wait behind a bar.

use super::{address, amount, empty, show, state, when};
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
        let rows: Vec<_> = page.nodes.iter().map(row).collect();
        view! {
            <div class="table-wrap"><table class="cards" role="table">
                <thead role="rowgroup"><tr role="row">
                    <th role="columnheader" scope="col">{say(Word::ColumnFrom)}</th>
                    <th role="columnheader" scope="col">{say(Word::ColumnTo)}</th>
                    <th role="columnheader" scope="col" class="number">{say(Word::ColumnAmount)}</th>
                    <th role="columnheader" scope="col">{say(Word::ColumnChain)}</th>
                    <th role="columnheader" scope="col">{say(Word::ColumnStage)}</th>
                    <th role="columnheader" scope="col" class="number">{say(Word::ColumnWhen)}</th>
                </tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    view! { {fresh}{show(panel, content)} }.into_any()
}

fn row(row: &TransferRow) -> AnyView {
    let (_, tone) = sentences::transfer(row.status);
    let tone = if sentences::is_troubled(row) {
        Tone::Wait
    } else {
        tone
    };
    let name = sentences::transfer_line(row);
    let stage = sentences::stage(row);
    view! {
        <tr role="row">
            <td role="cell" class="lead" data-label=say(Word::ColumnFrom)>
                <a class="row" href=format!("/transfers/{}", row.id) aria-label=name>{row.vault.name.clone()}</a>
            </td>
            <td role="cell" data-label=say(Word::ColumnTo)>{address(&row.destination)}</td>
            <td role="cell" class="number" data-label=say(Word::ColumnAmount)>
                {amount(row.amount.minor, row.amount.decimals, &row.amount.symbol)}
            </td>
            <td role="cell" data-label=say(Word::ColumnChain)>{row.chain.name.clone()}</td>
            <td role="cell" data-label=say(Word::ColumnStage)>{state(stage, tone)}</td>
            <td role="cell" class="number soft" data-label=say(Word::ColumnWhen)>{when(row.requested_at)}</td>
        </tr>
    }
    .into_any()
}

/// What stands in an empty list that filters made empty.
pub fn no_match(clear: String) -> AnyView {
    let action = view! { <a class="button" href=clear>{say(Word::ClearFilters)}</a> }.into_any();
    empty(Word::NoMatch, Word::NoMatchWords, Some(action))
}
