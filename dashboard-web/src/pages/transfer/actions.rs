//! What can be decided about a transfer, and why not when it cannot. Each decision is confirmed in a dialog that names
//! the act; the screen changes when the ledger has it, never before.

use super::{Seen, named};
use crate::panel::Panel;
use crate::parts::{address_full, close_dialogs, dialog, open_dialog, problem};
use crate::request::{self, Outgoing};
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use serde::Deserialize;
use vaultstream_client::Reason;
use vaultstream_event_schemas::status::TransferStatus as S;
use wasm_bindgen_futures::spawn_local;
use web_sys::SubmitEvent;

const DIALOG: &str = "decide";

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Approve,
    Deny,
    Cancel,
}

impl Verb {
    const fn path(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
        }
    }
    const fn title(self) -> Word {
        match self {
            Self::Approve => Word::DialogApprove,
            Self::Deny => Word::DialogDeny,
            Self::Cancel => Word::DialogCancel,
        }
    }
    const fn button(self) -> Word {
        match self {
            Self::Approve => Word::ActApprove,
            Self::Deny => Word::DenyButton,
            Self::Cancel => Word::CancelButton,
        }
    }
}

/// What a decision is about.
#[derive(Debug, Clone, PartialEq)]
struct Decidable {
    id: String,
    status: S,
    version: i64,
    amount: String,
    vault: String,
    to: String,
    destination: String,
}

impl Decidable {
    fn of(transfer: &Seen) -> Self {
        let (amount, to) = named(transfer);
        Self {
            id: transfer.id.clone(),
            status: transfer.status,
            version: transfer.version,
            amount,
            vault: transfer.vault.name.clone(),
            to,
            destination: transfer.destination.clone(),
        }
    }
}

/// What the page needs of the answer.
#[derive(Deserialize)]
struct Decided {
    #[serde(default)]
    token: Option<String>,
}

/// Which decisions are open, and why others are not.
fn possible(status: S, approve: bool, write: bool) -> (Vec<Verb>, Option<Word>) {
    match status {
        S::AwaitingApproval => {
            let decide = [Verb::Approve, Verb::Deny].into_iter().filter(|_| approve);
            let cancel = Some(Verb::Cancel).filter(|_| write);
            (
                decide.chain(cancel).collect(),
                (!approve).then_some(Word::NoActScope),
            )
        }
        S::Requested | S::Screening | S::Approved => {
            let cancel = Some(Verb::Cancel).filter(|_| write);
            (
                cancel.into_iter().collect(),
                Some(Word::NoActYet).filter(|_| status != S::Approved),
            )
        }
        S::Executing => (Vec::new(), Some(Word::NoActMoving)),
        _ => (Vec::new(), Some(Word::NoActDecided)),
    }
}

/// The card.
pub fn actions(app: App, panel: Panel<Option<Seen>>) -> AnyView {
    let verb = RwSignal::new(Verb::Approve);
    let seen = Memo::new(move |_| {
        panel
            .data
            .with(|d| d.as_ref().and_then(Option::as_ref).map(Decidable::of))
    });
    let content = move || {
        let transfer = seen.get()?;
        let (verbs, why_not) = possible(
            transfer.status,
            app.may("transfers:approve"),
            app.may("transfers:write"),
        );
        let (amount, to) = (&transfer.amount, &transfer.to);
        let buttons: Vec<_> = verbs
            .into_iter()
            .map(|one| {
                let text = match one {
                    Verb::Approve => fill(Word::ActApprove, &[("amount", amount), ("to", to)]),
                    Verb::Deny => say(Word::ActDeny).to_owned(),
                    Verb::Cancel => say(Word::ActCancel).to_owned(),
                };
                let class = if one == Verb::Approve {
                    "button primary"
                } else {
                    "button"
                };
                let press = move |_| {
                    verb.set(one);
                    open_dialog(DIALOG);
                };
                view! { <button type="button" class=class on:click=press>{text}</button> }
            })
            .collect();
        let why_not = why_not.map(|word| fill(word, &[("scope", "transfers:approve")]));
        let buttons = (!buttons.is_empty()).then(|| view! { <div class="row-buttons">{buttons}</div> });
        Some(view! { {buttons}{why_not.map(|w| view! { <p class="soft small">{w}</p> })} })
    };
    view! {
        <section class="card" aria-labelledby="actions">
            <header><h2 id="actions">{say(Word::Actions)}</h2></header>
            <div class="inside">{content}</div>
        </section>
        {confirm(app, panel, verb, seen)}
    }
    .into_any()
}

fn confirm(
    app: App,
    panel: Panel<Option<Seen>>,
    verb: RwSignal<Verb>,
    seen: Memo<Option<Decidable>>,
) -> AnyView {
    let reason = RwSignal::new(String::new());
    let trouble = RwSignal::new(None::<Trouble>);
    let busy = RwSignal::new(false);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(transfer) = seen.get_untracked().filter(|_| !busy.get_untracked()) else {
            return;
        };
        let text = reason.get_untracked().trim().to_owned();
        let body = Reason {
            reason: (!text.is_empty()).then_some(text),
        };
        let path = format!("/v1/transfers/{}/{}", transfer.id, verb.get_untracked().path());
        let outgoing = Outgoing::post(path, &body).with("if-match", format!("\"{}\"", transfer.version));
        busy.set(true);
        trouble.set(None);
        spawn_local(async move {
            let answer = request::json::<Decided>(outgoing).await;
            let _ = busy.try_set(false);
            match answer {
                Ok(decided) => {
                    if decided.token.is_some() {
                        app.token.set(decided.token);
                    }
                    let _ = reason.try_set(String::new());
                    close_dialogs();
                }
                Err(refused) => {
                    let _ = trouble.try_set(Some(refused));
                }
            }
            panel.reload();
        });
    };
    let intent = move || {
        let transfer = seen.get()?;
        let (amount, to) = (&transfer.amount, &transfer.to);
        let words = fill(
            Word::TransferSentence,
            &[("amount", amount), ("from", &transfer.vault), ("to", to)],
        );
        Some(view! { <p>{words}</p><p>{address_full(&transfer.destination)}</p> })
    };
    let button = move || match (busy.get(), seen.get()) {
        (false, Some(transfer)) => {
            let (amount, to) = (&transfer.amount, &transfer.to);
            fill(verb.get().button(), &[("amount", amount), ("to", to)])
        }
        _ => say(Word::Submitted).to_owned(),
    };
    let class = move || {
        if verb.get() == Verb::Approve {
            "button primary"
        } else {
            "button danger"
        }
    };
    let content = view! {
        <form on:submit=submit novalidate>
            <h2>{move || say(verb.get().title())}</h2>
            {intent}
            <div class="field">
                <label for="reason">{say(Word::AskReason)}</label>
                <textarea id="reason" maxlength="500" aria-describedby="reason-hint" prop:value=move || reason.get()
                    on:input=move |e| reason.set(event_target_value(&e))></textarea>
                <span class="hint" id="reason-hint">{say(Word::AskReasonHint)}</span>
            </div>
            {move || trouble.get().map(|t| problem(&t, None, None))}
            <div class="row-buttons">
                <button type="submit" class=class aria-disabled=move || busy.get().to_string()>{button}</button>
                <button type="button" class="button" on:click=|_| close_dialogs()>{say(Word::Close)}</button>
            </div>
        </form>
    };
    let label = Signal::derive(move || say(verb.get().title()).to_owned());
    dialog(DIALOG, label, content.into_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_should_be_open_only_while_they_mean_something() {
        assert_eq!(
            possible(S::AwaitingApproval, true, true).0,
            [Verb::Approve, Verb::Deny, Verb::Cancel]
        );
        assert_eq!(possible(S::Approved, true, true), (vec![Verb::Cancel], None));
        for over in S::ALL.iter().filter(|s| s.is_terminal()) {
            assert_eq!(
                possible(*over, true, true),
                (vec![], Some(Word::NoActDecided)),
                "{over}"
            );
        }
        assert_eq!(
            possible(S::Executing, true, true),
            (vec![], Some(Word::NoActMoving))
        );
    }

    #[test]
    fn missing_scope_should_be_named() {
        assert_eq!(
            possible(S::AwaitingApproval, false, true),
            (vec![Verb::Cancel], Some(Word::NoActScope))
        );
        assert_eq!(possible(S::AwaitingApproval, false, false).0, []);
        assert_eq!(possible(S::Requested, true, false).0, []);
    }
}
