//! The page: asks every two seconds, and keeps what it knew while nobody answers.

use crate::fetch::{self, Trouble};
use crate::parked::{Of, parked, problem};
use crate::table::{HEADS, cells, head, line};
use crate::words as w;
use leptos::prelude::*;
use std::time::Duration;
use vaultstream_client::{Page, View};
use wasm_bindgen_futures::spawn_local;

const EVERY: Duration = Duration::from_secs(2);

/// The page.
pub fn page() -> AnyView {
    let views = RwSignal::new(None::<Vec<View>>);
    let trouble = RwSignal::new(None::<Trouble>);
    let open = RwSignal::new(None::<Of>);
    let (pulse, asking) = (RwSignal::new(0_u32), RwSignal::new(false));
    let ask = move || {
        // One question at a time: a server that is slow is not asked faster than it answers.
        if asking.get_untracked() {
            return;
        }
        asking.set(true);
        spawn_local(async move {
            match fetch::get::<Page<View>>("/v1/views").await {
                Ok(page) => {
                    views.set(Some(page.items));
                    trouble.set(None);
                    pulse.update(|n| *n = n.wrapping_add(1));
                }
                Err(error) => trouble.set(Some(error)),
            }
            asking.set(false);
        });
    };
    ask();
    // Without timers the page stays what it was when it was opened.
    let _ = set_interval_with_handle(ask, EVERY);
    let rows = move || {
        let views = views.get()?;
        let rows: Vec<_> = views.iter().map(|view| row(view, open)).collect();
        Some(view! {
            <div class="table-wrap"><table class="cards" role="table">{head(&HEADS)}<tbody role="rowgroup">{rows}</tbody></table></div>
        })
    };
    let waits = move || {
        (views.with(Option::is_none) && trouble.with(Option::is_none))
            .then(|| view! { <p class="soft">{w::LOADING}</p> })
    };
    let failed = move || trouble.get().map(|trouble| problem(&trouble));
    let close = Callback::new(move |()| open.set(None));
    let shown = Memo::new(move |_| open.get());
    let detail = move || shown.get().map(|of| parked(of, pulse.into(), close));
    view! {
        <header class="bar"><a class="brand" href="/">"Vaultstream"</a></header>
        <main class="page">
            <div class="head"><div><h1>{w::TITLE}</h1></div></div>
            <p class="soft">{w::ABOUT}</p>
            {failed}
            <section class="card" aria-label=w::TITLE>{waits}{rows}</section>
            {detail}
        </main>
    }
    .into_any()
}

fn row(view: &View, open: RwSignal<Option<Of>>) -> AnyView {
    let (line, of) = (
        line(view),
        Of {
            view: view.view.clone(),
            family: view.family.clone(),
        },
    );
    let (word, tone, more) = line.state;
    let name = format!("{}: {} {}", w::SHOW, of.view, of.family);
    let show = line.has_parked.then(|| {
        view! { <button type="button" class="button" aria-label=name on:click=move |_| open.set(Some(of.clone()))>{w::SHOW}</button> }
    });
    view! {
        <tr role="row">
            {cells(line.cells.into(), &HEADS)}
            <td role="cell" data-label=w::STATE>
                <div><span class=format!("state tone-{tone}")>{word}</span><div class="small soft">{more}</div>{show}</div>
            </td>
        </tr>
    }
    .into_any()
}
