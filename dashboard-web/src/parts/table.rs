//! Tables that become cards on a phone: each cell carries its column's name for there, and the roles that the changed
//! display would take away.

use crate::words::{Word, say};
use leptos::prelude::*;

/// How a column is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the row is called; the head of its card.
    Lead,
    /// Words.
    Plain,
    /// Figures, which line up.
    Number,
    /// Figures that matter less.
    Soft,
}

const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Lead => "lead",
        Kind::Plain => "",
        Kind::Number => "number",
        Kind::Soft => "number soft",
    }
}

/// A table: its columns, and each row's cells in their order.
pub fn table(columns: &'static [(Word, Kind)], rows: Vec<Vec<AnyView>>) -> AnyView {
    let head: Vec<_> = columns.iter().map(|(word, kind)| heading(*word, *kind)).collect();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|cells| {
            let cells: Vec<_> = cells
                .into_iter()
                .zip(columns)
                .map(|(view, column)| cell(view, *column))
                .collect();
            view! { <tr role="row">{cells}</tr> }
        })
        .collect();
    view! {
        <div class="table-wrap">
            <table class="cards" role="table">
                <thead role="rowgroup"><tr role="row">{head}</tr></thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn heading(word: Word, kind: Kind) -> AnyView {
    let class = if matches!(kind, Kind::Number | Kind::Soft) {
        "number"
    } else {
        ""
    };
    view! { <th role="columnheader" scope="col" class=class>{say(word)}</th> }.into_any()
}

fn cell(view: AnyView, (word, kind): (Word, Kind)) -> AnyView {
    view! { <td role="cell" class=class(kind) data-label=say(word)>{view}</td> }.into_any()
}

/// A fact in a list of facts.
pub fn fact(word: Word, value: AnyView) -> AnyView {
    view! { <dt>{say(word)}</dt><dd>{value}</dd> }.into_any()
}

/// A word or two, as a view.
pub fn text(text: String) -> AnyView {
    text.into_any()
}
