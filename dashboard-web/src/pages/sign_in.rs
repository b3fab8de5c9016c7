//! The door: exchanges an API key for a session cookie. The key lives in the field only and is cleared with it.

use crate::browser;
use crate::parts::{Field, field, problem};
use crate::request::{self, Outgoing};
use crate::route::safe_next;
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use vaultstream_client::OpenSession;
use wasm_bindgen_futures::spawn_local;
use web_sys::SubmitEvent;

/// The page.
pub fn sign_in() -> AnyView {
    let app = App::here();
    let key = RwSignal::new(String::new());
    let wrong = RwSignal::new(None::<String>);
    let trouble = RwSignal::new(None::<Trouble>);
    let busy = RwSignal::new(false);
    document().set_title(&fill(Word::PageTitle, &[("page", say(Word::SignInTitle))]));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let body = OpenSession {
            key: key.get_untracked().trim().to_owned(),
        };
        trouble.set(None);
        wrong.set(body.key.is_empty().then(|| say(Word::SignInMissing).to_owned()));
        if body.key.is_empty() || busy.get_untracked() {
            browser::focus("key");
            return;
        }
        busy.set(true);
        spawn_local(async move {
            let answer = request::text(Outgoing::post("/v1/sessions".into(), &body)).await;
            busy.set(false);
            match answer {
                Ok(_) => {
                    key.set(String::new());
                    let next = app.place.query.with_untracked(|q| safe_next(q.get("next")));
                    app.place.replace(&next);
                }
                Err(refused) => trouble.set(Some(refused)),
            }
        });
    };
    let key_field = Field {
        id: "key",
        label: Word::SignInKey,
        hint: Some(Word::SignInKeyHint),
        kind: "password",
        mode: "text",
    };
    view! {
        <main>
            <div class="lonely card">
                <h1>{say(Word::SignInTitle)}</h1>
                <p class="soft">{say(Word::SignInWords)}</p>
                <form on:submit=submit novalidate>
                    {field(key_field, key, Signal::derive(move || wrong.get()), None)}
                    {move || trouble.get().map(|t| problem(&t, None, None))}
                    <div class="row-buttons">
                        <button type="submit" class="button primary" aria-disabled=move || busy.get().to_string()>{say(Word::SignInButton)}</button>
                    </div>
                </form>
                <p class="soft small">{say(Word::SignInLinkWords)}</p>
            </div>
        </main>
    }
    .into_any()
}
