//! States, amounts, moments, addresses: how single values look everywhere.

use crate::browser;
use crate::figures::{elided, grouped, groups, places};
use crate::graphql::Amount;
use crate::icons::{Icon, icon};
use crate::moment::{Moment, ago};
use crate::sentences::Tone;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen_futures::spawn_local;

/// The icon of a tone.
const fn tone_icon(tone: Tone) -> Icon {
    match tone {
        Tone::Wait => Icon::Wait,
        Tone::Move => Icon::Move,
        Tone::Good => Icon::Good,
        Tone::Bad => Icon::Bad,
        Tone::Rest => Icon::Ahead,
    }
}

/// A state: a mark, a word, a colour.
pub fn state(text: String, tone: Tone) -> AnyView {
    view! { <span class=format!("state {}", tone.class())>{icon(tone_icon(tone))}<span>{text}</span></span> }
        .into_any()
}

/// An amount, exact, with its unit after it.
pub fn amount(minor: Amount, decimals: i64, symbol: &str) -> AnyView {
    let text = grouped(&minor.to_decimal(places(decimals)));
    view! { <span class="amount">{text}<span class="unit">{symbol.to_owned()}</span></span> }.into_any()
}

/// A moment, as an age that grows by itself; the exact time is in the tooltip.
pub fn when(moment: Moment) -> AnyView {
    let app = App::here();
    let machine = browser::iso(moment);
    let title = format!("{} · {machine}", browser::short_time(moment));
    view! { <time datetime=machine title=title>{move || ago(moment.age_ms(app.now.get()))}</time> }.into_any()
}

/// A button that copies a whole value and says so.
pub fn copy(what: Word, value: String) -> AnyView {
    let app = App::here();
    let done = RwSignal::new(false);
    let name = say(what);
    let label = fill(Word::CopyValue, &[("what", name)]);
    let press = move |_| {
        let value = value.clone();
        spawn_local(async move {
            if browser::copy(&value).await {
                let _ = done.try_set(true);
                app.said.set(fill(Word::CopiedValue, &[("what", name)]));
                set_timeout(
                    move || {
                        let _ = done.try_set(false);
                    },
                    Duration::from_millis(1_500),
                );
            }
        });
    };
    view! {
        <button type="button" class="icon-button copy above" aria-label=label.clone() title=label
            data-done=move || done.get().to_string() on:click=press>
            {move || icon(if done.get() { Icon::Done } else { Icon::Copy })}
        </button>
    }
    .into_any()
}

/// An address where space is short: cut in the middle, whole for those who listen, copied whole.
pub fn address(text: &str) -> AnyView {
    let whole = text.to_owned();
    let title = whole.clone();
    view! {
        <span class="address" title=title><span aria-hidden="true">{elided(text)}</span><span class="unseen">{whole}</span></span>
    }
    .into_any()
}

/// An address where money moves: whole, in groups of four, the ends stronger.
pub fn address_full(text: &str) -> AnyView {
    let groups = groups(text);
    let last = groups.len().saturating_sub(1);
    let first = usize::from(groups.first().is_some_and(|g| g == "0x"));
    let shown = groups.into_iter().enumerate().map(|(i, group)| {
        if i <= first || i == last {
            view! { <b>{group}</b> }.into_any()
        } else {
            view! { <span>{group}</span> }.into_any()
        }
    });
    let shown: Vec<_> = shown.collect();
    view! { <span class="address-full"><span class="unseen">{text.to_owned()}</span><span class="address-full" aria-hidden="true">{shown}</span></span> }.into_any()
}

/// An address compared with another: differing characters are marked.
pub fn address_marked(text: &str, other: &str) -> AnyView {
    let shown: Vec<_> = crate::recipients::differences(text, other)
        .into_iter()
        .map(|(c, differs)| {
            let c = c.to_string();
            if differs {
                view! { <mark>{c}</mark> }.into_any()
            } else {
                view! { <span>{c}</span> }.into_any()
            }
        })
        .collect();
    view! { <span class="address">{shown}</span> }.into_any()
}
