//! The top bar: whose money, search, how live, theme, help, sign-out.

use super::help::HELP;
use crate::browser;
use crate::icons::{Icon, icon};
use crate::parts::open_dialog;
use crate::request::{self, Outgoing};
use crate::route::encode;
use crate::state::App;
use crate::words::{Word, say};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::SubmitEvent;

/// The search field's id.
pub const SEARCH: &str = "search";
/// The menu button's id.
pub const MENU: &str = "menu";

/// The bar.
pub fn top_bar(app: App, sheet: RwSignal<bool>) -> AnyView {
    let organization = move || app.who.with(|w| w.as_ref().map(|w| w.organization.name.clone()));
    let menu = move || {
        say(if sheet.get() {
            Word::MenuClose
        } else {
            Word::MenuOpen
        })
    };
    view! {
        <header class="bar">
            <button type="button" id=MENU class="icon-button only-phone" aria-label=menu aria-controls="rail"
                aria-expanded=move || sheet.get().to_string() on:click=move |_| sheet.update(|open| *open = !*open)>
                {icon(Icon::Menu)}
            </button>
            <a class="brand" href="/">{icon(Icon::Vault)}<span>{say(Word::Product)}</span></a>
            <span class="organization">{organization}</span>
            {finder(app)}
            <div class="tools">{indicator(app)}{theme()}{help()}{sign_out(app)}</div>
        </header>
    }
    .into_any()
}

fn finder(app: App) -> AnyView {
    let text = RwSignal::new(String::new());
    Effect::new(move |_| {
        if app.place.route.get() == crate::route::Route::Search {
            text.set(
                app.place
                    .query
                    .with(|q| q.get("q").unwrap_or_default().to_owned()),
            );
        }
    });
    let find = move |event: SubmitEvent| {
        event.prevent_default();
        let text = text.get_untracked();
        if !text.trim().is_empty() {
            app.place.go(&format!("/search?q={}", encode(text.trim())));
        }
    };
    view! {
        <search class="finder">
            <form class="finder" on:submit=find>
                {icon(Icon::Search)}
                <input id=SEARCH type="search" aria-label=say(Word::SearchLabel) placeholder=say(Word::SearchHint) autocomplete="off"
                    spellcheck="false" prop:value=move || text.get() on:input=move |e| text.set(event_target_value(&e))/>
                <kbd aria-hidden="true">"/"</kbd>
            </form>
        </search>
    }
    .into_any()
}

fn indicator(app: App) -> AnyView {
    let kind = move || app.freshness().0.name();
    view! { <span class="live" data-kind=kind><span class="dot" aria-hidden="true"></span><span>{move || app.freshness().1}</span></span> }
        .into_any()
}

/// System, light, dark, and round again.
fn theme() -> AnyView {
    let chosen = RwSignal::new(browser::theme());
    let label = move || {
        say(chosen.with(|c| match c.as_deref() {
            Some("light") => Word::ThemeLight,
            Some("dark") => Word::ThemeDark,
            _ => Word::ThemeSystem,
        }))
    };
    let press = move |_| {
        let next = chosen.with_untracked(|c| match c.as_deref() {
            None => Some("light"),
            Some("light") => Some("dark"),
            Some(_) => None,
        });
        browser::set_theme(next);
        chosen.set(next.map(str::to_owned));
    };
    view! { <button type="button" class="icon-button" aria-label=label title=label on:click=press>{icon(Icon::Theme)}</button> }
        .into_any()
}

fn help() -> AnyView {
    let label = say(Word::Help);
    view! {
        <button type="button" class="icon-button not-phone" aria-label=label title=label on:click=|_| open_dialog(HELP)>
            {icon(Icon::Help)}
        </button>
    }
    .into_any()
}

fn sign_out(app: App) -> AnyView {
    let label = say(Word::SignOut);
    let press = move |_| {
        spawn_local(async move {
            let end = Outgoing {
                method: "DELETE",
                path: "/v1/sessions/current".into(),
                ..Outgoing::default()
            };
            // Whatever the answer: without the page's state nothing is shown any more, and a session that could not be
            // ended is asked for its end again at the next attempt.
            match request::text(end).await {
                Ok(_) => {
                    app.said.set(say(Word::SignedOut).to_owned());
                    app.place.replace("/sign-in");
                    app.leave();
                }
                Err(trouble) if trouble.is_signed_out() => app.leave(),
                Err(trouble) => app.trouble.set(Some(trouble)),
            }
        });
    };
    view! { <button type="button" class="icon-button" aria-label=label title=label on:click=press>{icon(Icon::Leave)}</button> }
        .into_any()
}
