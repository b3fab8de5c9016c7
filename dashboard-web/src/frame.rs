//! What stands around every page: sandbox bar, top bar, rail, the page itself, and what is read aloud.

mod help;
mod keyboard;
mod rail;
mod top_bar;

pub use rail::Waiting;

use crate::live::indicator::Kind;
use crate::moment::{Moment, age};
use crate::pages;
use crate::parts::problem;
use crate::route::Route;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;

/// The whole page.
pub fn frame() -> AnyView {
    let app = App::provide();
    let at_door = Memo::new(move |_| app.place.route.get() == Route::SignIn);
    Effect::new(move |_| {
        if !at_door.get() && app.who.with_untracked(Option::is_none) {
            app.enter();
        }
    });
    let known = Memo::new(move |_| app.who.with(Option::is_some));
    let content = move || match (at_door.get(), known.get()) {
        (true, _) => pages::sign_in(),
        (false, true) => inside(app),
        (false, false) => outside(app),
    };
    view! {
        {content}
        <p class="unseen" role="status" aria-live="polite">{move || app.said.get()}</p>
    }
    .into_any()
}

/// Before it is known who asks.
fn outside(app: App) -> AnyView {
    let trouble = move || {
        app.trouble
            .get()
            .map(|t| problem(&t, None, Some(Callback::new(move |()| app.enter()))))
    };
    view! {
        <header class="bar"><a class="brand" href="/">{say(Word::Product)}</a></header>
        <main class="page" aria-busy="true"><h1 class="unseen">{say(Word::Product)}</h1>{trouble}</main>
    }
    .into_any()
}

fn inside(app: App) -> AnyView {
    app.subscribe();
    let open = Waiting::follow();
    let sheet = RwSignal::new(false);
    keyboard::listen(app, sheet);
    Effect::new(move |_| {
        app.place.moves.track();
        sheet.set(false);
    });
    say_state(app);
    view! {
        <a class="skip" href="#content" on:click=move |event| skip(&event)>{say(Word::SkipToContent)}</a>
        <div class="top">{sandbox(app)}{top_bar::top_bar(app, sheet)}</div>
        <div class="body">
            {rail::rail(app, open, sheet)}
            <main id="content" tabindex="-1">{offline(app)}{move || page(&app.place.route.get())}</main>
        </div>
        {help::help()}
    }
    .into_any()
}

fn page(route: &Route) -> AnyView {
    let content = match route {
        Route::Home => pages::home(),
        Route::Vaults => pages::vaults(),
        Route::NewVault => pages::new_vault(),
        Route::Vault(id) => pages::vault(id.clone()),
        Route::Transfers => pages::transfers(),
        Route::NewTransfer => pages::new_transfer(),
        Route::Transfer(id) => pages::transfer(id.clone()),
        Route::Execution(id) => pages::execution(id.clone()),
        Route::Search => pages::search(),
        Route::SignIn | Route::Unknown => pages::unknown(),
    };
    view! { <div class="page">{content}</div> }.into_any()
}

/// Moves the keyboard's place past the frame without touching the address bar.
fn skip(event: &web_sys::MouseEvent) {
    event.prevent_default();
    crate::browser::focus("content");
}

/// The bar that says that nothing here is worth anything; present as long as any chain is a sandbox.
fn sandbox(app: App) -> impl IntoView {
    move || {
        let names: Vec<String> = app.chains.with(|chains| {
            let sandboxes = chains.iter().filter(|c| c.sandbox);
            sandboxes.map(|c| c.name.clone()).collect()
        });
        (!names.is_empty()).then(|| {
            let sentence = fill(Word::SandboxSentence, &[("chains", &names.join(", "))]);
            view! { <aside class="sandbox" aria-label=say(Word::Sandbox)><strong>{say(Word::Sandbox)}</strong><span>{sentence}</span></aside> }
        })
    }
}

/// Says on the page that what it shows is the last known state.
fn offline(app: App) -> impl IntoView {
    let gone = Memo::new(move |_| app.freshness().0 == Kind::Offline);
    move || {
        gone.get().then(|| {
            let lost = app
                .live
                .lost_at
                .get()
                .map_or(0, |at| Moment(at).age_ms(app.now.get()));
            let words = fill(Word::LiveOfflineNote, &[("age", &age(lost))]);
            view! { <p class="notice wait offline">{words}</p> }
        })
    }
}

/// Says aloud when the connection changes its kind, and only then.
fn say_state(app: App) {
    let kind = Memo::new(move |_| app.freshness().0);
    Effect::new(move |before: Option<()>| {
        kind.track();
        if before.is_some() {
            app.said.set(untrack(move || app.freshness().1));
        }
    });
}
