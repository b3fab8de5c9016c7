//! Three views of a transfer: its line, its events with positions and hashes, and what the REST API answers.

use super::Seen;
use crate::browser;
use crate::figures::elided;
use crate::graphql::transfer::Entry;
use crate::icons::{Icon, icon};
use crate::panel::Panel;
use crate::parts::{copy, show};
use crate::request::{self, Outgoing};
use crate::sentences::{self, Tone};
use crate::state::App;
use crate::timeline::{Proof, Step, line};
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use web_sys::KeyboardEvent;

const TABS: [(&str, Word); 3] = [
    ("", Word::TabTimeline),
    ("events", Word::TabEvents),
    ("raw", Word::TabRaw),
];

/// The card with its tabs; which one is open stands in the address.
pub fn tabs(app: App, panel: Panel<Option<Seen>>, then: Memo<Option<String>>) -> AnyView {
    let open = Memo::new(move |_| {
        let wanted = app
            .place
            .query
            .with(|q| q.get("tab").unwrap_or_default().to_owned());
        TABS.iter().position(|(name, _)| *name == wanted).unwrap_or(0)
    });
    let choose = move |index: usize| {
        app.place.set("tab", TABS[index].0);
        browser::focus(&format!("tab-{index}"));
    };
    let keys = move |event: KeyboardEvent| {
        let at = open.get_untracked();
        match event.key().as_str() {
            "ArrowRight" => choose((at + 1) % TABS.len()),
            "ArrowLeft" => choose((at + TABS.len() - 1) % TABS.len()),
            _ => {}
        }
    };
    let buttons: Vec<_> = TABS
        .iter()
        .enumerate()
        .map(|(index, (_, word))| {
            let chosen = move || open.get() == index;
            view! {
                <button type="button" role="tab" id=format!("tab-{index}") aria-controls="tab-panel"
                    aria-selected=move || chosen().to_string() tabindex=move || if chosen() { "0" } else { "-1" }
                    on:click=move |_| choose(index)>{say(*word)}</button>
            }
        })
        .collect();
    let content = move || match open.get() {
        1 => show(panel, |found| {
            found.as_ref().map_or_else(|| ().into_any(), events)
        }),
        2 => raw(panel, then),
        _ => show(panel, move |found| {
            found.as_ref().map_or_else(|| ().into_any(), |t| drawn(app, t))
        }),
    };
    view! {
        <section class="card" aria-label=say(Word::TabsLabel)>
            <div class="tabs" role="tablist" aria-label=say(Word::TabsLabel) on:keydown=keys>{buttons}</div>
            <div id="tab-panel" role="tabpanel" tabindex="0" aria-labelledby=move || format!("tab-{}", open.get())>{content}</div>
        </section>
    }
    .into_any()
}

fn drawn(app: App, transfer: &Seen) -> AnyView {
    let me = app
        .who
        .with(|w| w.as_ref().map(|w| w.actor.clone()))
        .unwrap_or_default();
    let steps = line(transfer, &me, &browser::short_time);
    let present = steps.iter().position(|s| s.next.is_some());
    let items: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(i, s)| step(s, present == Some(i)))
        .collect();
    view! { {cut(transfer)}<ol class="line">{items}</ol> }.into_any()
}

fn step(step: &Step, present: bool) -> AnyView {
    let ahead = step.at.is_none();
    let mark = match (ahead, present, step.tone) {
        (true, ..) => Icon::Ahead,
        (_, true, Tone::Wait) | (_, _, Tone::Wait) => Icon::Wait,
        (_, true, _) => Icon::Move,
        (_, _, Tone::Bad) => Icon::Bad,
        (_, _, Tone::Rest) => Icon::Ahead,
        _ => Icon::Good,
    };
    let tone = match (ahead, present, step.tone) {
        (true, ..) => Tone::Rest,
        (_, false, Tone::Move) => Tone::Good,
        (_, _, tone) => tone,
    };
    let at = step.at.map(|at| {
        let (machine, short) = (browser::iso(at), browser::short_time(at));
        view! { <time class="when" datetime=machine.clone() title=machine>{short}</time> }
    });
    let proof: Vec<_> = step.proof.iter().map(evidence).collect();
    let nested: Vec<_> = step
        .nested
        .iter()
        .map(|text| view! { <span>{text.clone()}</span> })
        .collect();
    let nested = (!nested.is_empty()).then(|| view! { <div class="nested">{nested}</div> });
    let next = step.next.clone().map(|text| view! { <p class="next">{text}</p> });
    view! {
        <li data-ahead=ahead.to_string() aria-current=present.then_some("step")>
            <span class=format!("mark {}", tone.class())>{icon(mark)}</span>
            <div>
                <div class="what"><span>{step.what.clone()}</span>{at}</div>
                <div class="proof">{proof}</div>{nested}{next}
            </div>
        </li>
    }
    .into_any()
}

fn evidence(proof: &Proof) -> AnyView {
    match proof {
        Proof::Words(text) => view! { <span>{text.clone()}</span> }.into_any(),
        Proof::Text(word, value) => view! {
            <span>{say(*word)}" "<span class="mono" title=value.clone()>{elided(value)}</span>{copy(Word::WhatHash, value.clone())}</span>
        }
        .into_any(),
    }
}

fn events(transfer: &Seen) -> AnyView {
    let rows: Vec<_> = transfer.timeline.nodes.iter().map(event).collect();
    view! { {cut(transfer)}<ol class="list">{rows}</ol> }.into_any()
}

fn event(entry: &Entry) -> AnyView {
    let place = fill(
        Word::EventPlace,
        &[
            ("shard", &entry.shard.to_string()),
            ("position", &entry.position.to_string()),
        ],
    );
    let hash = fill(Word::EventHash, &[("hash", &entry.hash)]);
    let previous = fill(Word::EventPrevious, &[("hash", &entry.previous_hash)]);
    let machine = browser::iso(entry.occurred_at);
    view! {
        <li><div class="item">
            <span class="main">{entry.type_.clone()}" "<span class="soft mono small">{entry.id.clone()}</span></span>
            <span class="side sub"><time datetime=machine.clone() title=machine>{browser::short_time(entry.occurred_at)}</time></span>
            <span class="sub">{place}", "{sentences::actor(&entry.actor, "")}</span><span></span>
            <span class="hash">{hash}</span><span class="side">{copy(Word::WhatHash, entry.hash.clone())}</span>
            <span class="hash">{previous}</span>
        </div></li>
    }
    .into_any()
}

fn cut(transfer: &Seen) -> Option<AnyView> {
    let shown = transfer.timeline.nodes.len().to_string();
    let is_cut = transfer.timeline.page_info.has_previous_page;
    let words = is_cut.then(|| fill(Word::EventsCut, &[("n", &shown)]));
    words.map(|words| view! { <p class="notice">{words}</p> }.into_any())
}

fn raw(seen: Panel<Option<Seen>>, then: Memo<Option<String>>) -> AnyView {
    let id = Memo::new(move |_| {
        seen.data
            .with(|d| d.as_ref().and_then(|d| d.as_ref().map(|t| t.id.clone())))
    });
    let panel = Panel::new(move || {
        seen.state.at.track();
        let id = id.get().unwrap_or_default();
        let as_of = then.get().map(|t| format!("?asOf={t}")).unwrap_or_default();
        Box::pin(request::text(Outgoing::get(format!("/v1/transfers/{id}{as_of}"))))
    });
    let content = |text: &String| {
        let pretty = browser::pretty(text);
        view! { <pre tabindex="0">{pretty}</pre> }.into_any()
    };
    let words = move || fill(Word::RawWords, &[("id", &id.get().unwrap_or_default())]);
    view! { <p class="empty">{words}</p>{show(panel, content)} }.into_any()
}
