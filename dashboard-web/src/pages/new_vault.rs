//! The form for a vault. A retry sends the same request under the same key, so it never makes two.

use crate::browser;
use crate::parts::{Field, field, head_of, problem};
use crate::request::{self, Outgoing};
use crate::sentences;
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use serde::Deserialize;
use vaultstream_client::CreateVault;
use vaultstream_event_schemas::vault::v1::Tier;
use wasm_bindgen_futures::spawn_local;
use web_sys::SubmitEvent;

/// What the page needs of the answer.
#[derive(Deserialize)]
struct Created {
    id: String,
    #[serde(default)]
    token: Option<String>,
}

#[derive(Clone, Copy)]
struct Form {
    name: RwSignal<String>,
    tier: RwSignal<Tier>,
    chains: RwSignal<Vec<String>>,
    wrong: RwSignal<Option<String>>,
    trouble: RwSignal<Option<Trouble>>,
    busy: RwSignal<bool>,
    key: StoredValue<(String, String)>,
}

impl Form {
    /// The key of this request: the same while the request is the same, so that a retry is recognised.
    fn key_for(self, body: &str) -> String {
        self.key.update_value(|(of, key)| {
            if of != body {
                *of = body.to_owned();
                *key = browser::new_idempotency_key();
            }
        });
        self.key.with_value(|(_, key)| key.clone())
    }

    fn send(self, app: App) {
        let body = CreateVault {
            name: self.name.get_untracked().trim().to_owned(),
            tier: Some(self.tier.get_untracked()),
            chains: self.chains.get_untracked(),
        };
        self.trouble.set(None);
        self.wrong
            .set(body.name.is_empty().then(|| say(Word::FieldRequired).to_owned()));
        if body.name.is_empty() {
            browser::focus("name");
            return;
        }
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let outgoing = Outgoing::post("/v1/vaults".into(), &body);
        let key = self.key_for(outgoing.body.as_deref().unwrap_or_default());
        let outgoing = outgoing.with("idempotency-key", key);
        spawn_local(async move {
            let answer = request::json::<Created>(outgoing).await;
            self.busy.set(false);
            match answer {
                Ok(created) => {
                    if created.token.is_some() {
                        app.token.set(created.token);
                    }
                    app.place.replace(&format!("/vaults/{}", created.id));
                }
                Err(refused) if refused.is_signed_out() => app.leave(),
                Err(refused) => {
                    self.wrong.set(refused.of_field("name"));
                    self.trouble.set(Some(refused));
                }
            }
        });
    }
}

/// The page.
pub fn new_vault() -> AnyView {
    let app = App::here();
    let all = app
        .chains
        .with_untracked(|chains| chains.iter().map(|c| c.id.clone()).collect());
    let form = Form {
        name: RwSignal::new(String::new()),
        tier: RwSignal::new(Tier::Hot),
        chains: RwSignal::new(all),
        wrong: RwSignal::new(None),
        trouble: RwSignal::new(None),
        busy: RwSignal::new(false),
        key: StoredValue::new((String::new(), String::new())),
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(app);
    };
    let button = move || match (form.busy.get(), form.name.get().trim()) {
        (true, _) => say(Word::Submitted).to_owned(),
        (_, "") => say(Word::CreateVaultButton).to_owned(),
        (_, name) => fill(Word::CreateVaultNamed, &[("name", name)]),
    };
    let name = Field {
        id: "name",
        label: Word::VaultName,
        hint: Some(Word::VaultNameHint),
        kind: "text",
        mode: "text",
    };
    view! {
        {head_of(Word::NewVault, ().into_any())}
        <form on:submit=submit novalidate>
            {field(name, form.name, Signal::derive(move || form.wrong.get()), None)}
            {tiers(form)}
            {chains(app, form)}
            {move || form.trouble.get().map(|t| problem(&t, None, None))}
            <div class="row-buttons">
                <button type="submit" class="button primary" aria-disabled=move || form.busy.get().to_string()>{button}</button>
                <a class="button" href="/vaults">{say(Word::Cancel)}</a>
            </div>
        </form>
    }
    .into_any()
}

fn tiers(form: Form) -> AnyView {
    let options: Vec<_> = [Tier::Hot, Tier::Warm, Tier::Cold]
        .into_iter()
        .map(|tier| {
            view! {
                <button type="button" aria-pressed=move || (form.tier.get() == tier).to_string() on:click=move |_| form.tier.set(tier)>
                    {say(sentences::tier(tier))}
                </button>
            }
        })
        .collect();
    view! { <fieldset class="field"><legend>{say(Word::VaultTier)}</legend><div><div class="choice">{options}</div></div></fieldset> }
        .into_any()
}

fn chains(app: App, form: Form) -> AnyView {
    let boxes: Vec<_> = app
        .chains
        .get_untracked()
        .into_iter()
        .map(|chain| {
            let id = chain.id.clone();
            let chosen = { let id = id.clone(); move || form.chains.with(|c| c.contains(&id)) };
            let toggle = move |_| {
                form.chains.update(|chains| {
                    if chains.contains(&id) { chains.retain(|c| *c != id); } else { chains.push(id.clone()); }
                });
            };
            view! { <label class="check"><input type="checkbox" prop:checked=chosen on:change=toggle/><span>{chain.name}</span></label> }
        })
        .collect();
    view! { <fieldset class="field"><legend>{say(Word::VaultChains)}</legend>{boxes}</fieldset> }.into_any()
}
