//! The form: what can be checked here is checked here, the rest by the server's dry run, which changes nothing.

use super::{Draft, Preview, Reviewed, Source};
use crate::browser;
use crate::figures::money;
use crate::graphql::vaults::VaultsVaults;
use crate::money_entry::{Limits, read};
use crate::parts::{Field, empty, field, problem};
use crate::request::{self, Outgoing};
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use serde::Deserialize;
use vaultstream_client::{CheckAddress, RequestTransfer};
use wasm_bindgen_futures::spawn_local;
use web_sys::SubmitEvent;

/// What the chain says of an address.
#[derive(Deserialize)]
struct Checked {
    valid: bool,
    address: Option<String>,
    detail: Option<String>,
}

/// The form.
pub fn form(app: App, draft: Draft, vaults: &VaultsVaults) -> AnyView {
    if vaults.nodes.is_empty() {
        let action = view! { <a class="button" href="/vaults/new">{say(Word::NewVault)}</a> }.into_any();
        let nothing = empty(Word::VaultsNothing, Word::VaultsNothingWords, Some(action));
        return view! { <section class="card">{nothing}</section> }.into_any();
    }
    let options: Vec<_> = vaults
        .nodes
        .iter()
        .map(|v| view! { <option value=v.id.clone()>{v.name.clone()}</option> })
        .collect();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        check(app, draft);
    };
    let choose = move |event| {
        draft.vault.set(event_target_value(&event));
        draft.source.set(String::new());
    };
    let to = Field {
        id: "to",
        label: Word::FormTo,
        hint: Some(Word::FormToHint),
        kind: "text",
        mode: "text",
    };
    let memo = Field {
        id: "memo",
        label: Word::FormMemo,
        hint: Some(Word::FormMemoHint),
        kind: "text",
        mode: "text",
    };
    let external = Field {
        id: "external",
        label: Word::FormExternal,
        hint: Some(Word::FormExternalHint),
        kind: "text",
        mode: "text",
    };
    let busy = move || draft.busy.get().to_string();
    view! {
        <form on:submit=submit novalidate>
            <div class="field">
                <label for="vault">{say(Word::FormFrom)}</label>
                <select id="vault" prop:value=move || draft.vault.get() on:change=choose aria-describedby="vault-wrong"
                    aria-invalid=move || draft.wrong_with("vault").is_some().to_string()>
                    <option value="">{say(Word::FormFromNone)}</option>{options}
                </select>
                <span class="error-text" id="vault-wrong" aria-live="polite">{move || draft.wrong_with("vault")}</span>
            </div>
            {asset(draft)}
            {field(to, draft.to, Signal::derive(move || draft.wrong_with("to")), None)}
            {amount(draft)}
            <details>
                <summary>{say(Word::FormMore)}</summary>
                {field(memo, draft.memo, Signal::derive(move || draft.wrong_with("memo")), None)}
                {field(external, draft.external, Signal::derive(move || draft.wrong_with("external")), None)}
            </details>
            {move || draft.trouble.get().map(|t| problem(&t, None, None))}
            <div class="row-buttons">
                <button type="submit" class="button primary" aria-disabled=busy>{say(Word::ReviewButton)}</button>
            </div>
        </form>
    }
    .into_any()
}

fn held(source: &Source) -> String {
    money(source.held, source.decimals, &source.symbol)
}

fn asset(draft: Draft) -> AnyView {
    let options = move || {
        let option = |source: Source| {
            let words = fill(
                Word::FormAssetHolds,
                &[
                    ("symbol", &source.symbol),
                    ("chain", &source.chain_name),
                    ("amount", &held(&source)),
                ],
            );
            view! { <option value=source.key()>{words}</option> }
        };
        draft.sources().into_iter().map(option).collect::<Vec<_>>()
    };
    let none = move || {
        let seen = draft
            .detail
            .data
            .with(|d| d.as_ref().is_some_and(Option::is_some));
        (seen && draft.sources().is_empty()).then(|| say(Word::FormNoAccounts))
    };
    let value = move || draft.chosen().map(|s| s.key()).unwrap_or_default();
    view! {
        <div class="field">
            <label for="asset">{say(Word::FormAsset)}</label>
            <select id="asset" prop:value=value on:change=move |e| draft.source.set(event_target_value(&e))
                disabled=move || draft.sources().is_empty() aria-describedby="asset-wrong"
                aria-invalid=move || draft.wrong_with("asset").is_some().to_string()>
                {move || draft.sources().is_empty().then(|| view! { <option value="">{say(Word::FormAssetNone)}</option> })}{options}
            </select>
            <span class="error-text" id="asset-wrong" aria-live="polite">{move || draft.wrong_with("asset")}{none}</span>
        </div>
    }
    .into_any()
}

fn amount(draft: Draft) -> AnyView {
    let what = Field {
        id: "amount",
        label: Word::FormAmount,
        hint: None,
        kind: "text",
        mode: "decimal",
    };
    let unit = move || draft.chosen().map(|s| s.symbol);
    let hint = move || {
        draft.chosen().map(|s| {
            fill(
                Word::FormAmountHint,
                &[("held", &held(&s)), ("decimals", &s.decimals.to_string())],
            )
        })
    };
    let unit = view! { <span class="soft">{unit}</span> }.into_any();
    view! {
        {field(what, draft.amount, Signal::derive(move || draft.wrong_with("amount")), Some(unit))}
        <p class="soft small">{hint}</p>
    }
    .into_any()
}

/// Checks what can be checked here; then asks the server.
fn check(app: App, draft: Draft) {
    if draft.busy.get_untracked() {
        return;
    }
    draft.trouble.set(None);
    let source = untrack(move || draft.chosen());
    let to = draft.to.get_untracked().trim().to_owned();
    let mut wrong = Vec::new();
    if draft.vault.with_untracked(String::is_empty) {
        wrong.push(("vault", say(Word::FieldRequired).to_owned()));
    }
    if to.is_empty() {
        wrong.push(("to", say(Word::FieldRequired).to_owned()));
    }
    let amount = source.as_ref().map(|source| {
        let limits = Limits {
            symbol: &source.symbol,
            decimals: source.decimals,
            held: Some(source.held),
        };
        read(&draft.amount.get_untracked(), &limits)
    });
    if let Some(Err(words)) = &amount {
        wrong.push(("amount", words.clone()));
    }
    let (Some(source), Some(Ok(amount)), true) = (source, amount, wrong.is_empty()) else {
        if wrong.is_empty() {
            wrong.push(("asset", say(Word::FieldRequired).to_owned()));
        }
        point_at(draft, wrong);
        return;
    };
    draft.wrong.set(Vec::new());
    let text =
        |field: RwSignal<String>| Some(field.get_untracked().trim().to_owned()).filter(|t| !t.is_empty());
    let body = RequestTransfer {
        vault_id: None,
        account_id: Some(source.account.clone()),
        asset: source.asset.clone(),
        amount: amount.to_string(),
        destination: to,
        external_id: text(draft.external),
        memo: text(draft.memo),
        fee_max: None,
        expires_in: None,
        dry_run: None,
    };
    draft.busy.set(true);
    spawn_local(async move {
        let answer = ask(&source, body).await;
        let _ = draft.busy.try_set(false);
        match answer {
            Ok((body, preview)) => begin_review(draft, source, body, preview),
            Err(trouble) if trouble.is_signed_out() => app.leave(),
            Err(trouble) => refuse(draft, trouble),
        }
    });
}

/// The address first, so that its refusal is about the address; then everything, without doing it.
async fn ask(source: &Source, mut body: RequestTransfer) -> Result<(RequestTransfer, Preview), Trouble> {
    let question = CheckAddress {
        chain: source.chain.clone(),
        address: body.destination.clone(),
    };
    let check: Checked = request::json(Outgoing::post("/v1/addresses/validate".into(), &question)).await?;
    if !check.valid {
        let detail = check.detail.unwrap_or_default();
        let fields = vec![("destination".to_owned(), detail)];
        return Err(Trouble {
            fields,
            ..Trouble::default()
        });
    }
    if let Some(address) = check.address {
        body.destination = address;
    }
    let preview = request::json(Outgoing::post("/v1/transfers?dryRun=true".into(), &body)).await?;
    Ok((body, preview))
}

fn begin_review(draft: Draft, source: Source, body: RequestTransfer, preview: Preview) {
    let vault_name = draft
        .detail
        .data
        .with_untracked(|d| d.as_ref().and_then(|d| d.as_ref().map(|v| v.name.clone())));
    draft.reviewed.set(Some(Reviewed {
        body,
        preview,
        source,
        vault_name: vault_name.unwrap_or_default(),
        key: browser::new_idempotency_key(),
    }));
    browser::scroll_to_top();
    request_animation_frame(|| browser::focus("heading"));
}

/// Puts a refusal where it belongs: at its fields, else above the button.
pub fn refuse(draft: Draft, trouble: Trouble) {
    const FIELDS: [(&str, &str); 6] = [
        ("destination", "to"),
        ("amount", "amount"),
        ("asset", "asset"),
        ("memo", "memo"),
        ("externalId", "external"),
        ("vaultId", "vault"),
    ];
    let named = FIELDS
        .iter()
        .filter_map(|(theirs, ours)| Some((*ours, trouble.of_field(theirs)?)));
    let wrong: Vec<_> = named.collect();
    if wrong.is_empty() {
        draft.trouble.set(Some(trouble));
        return;
    }
    point_at(draft, wrong);
}

fn point_at(draft: Draft, wrong: Vec<(&'static str, String)>) {
    let first = wrong.first().map(|(name, _)| *name);
    draft.wrong.set(wrong);
    if let Some(name) = first {
        request_animation_frame(move || browser::focus(name));
    }
}
