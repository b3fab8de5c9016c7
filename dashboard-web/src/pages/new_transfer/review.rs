//! Review before money moves: the sentence, the whole addresses, the fee, the balance after, the rule; a recipient that
//! is new or looks like another stops here until a person has compared it. Only the button at the end sends.

use super::{Coin, Draft, Reviewed, form};
use crate::figures::{elided, money};
use crate::graphql::Amount;
use crate::icons::{Icon, icon};
use crate::parts::{address_full, address_marked, fact, problem, text};
use crate::recipients::{Recipient, judge};
use crate::request::{self, Outgoing};
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen_futures::spawn_local;

/// What the page needs of the answer.
#[derive(Deserialize)]
struct Accepted {
    id: String,
    token: String,
}

#[derive(Clone, Copy)]
struct Sending {
    compared: RwSignal<bool>,
    busy: RwSignal<bool>,
    trouble: RwSignal<Option<Trouble>>,
}

/// The review.
pub fn review(app: App, draft: Draft, reviewed: Reviewed) -> AnyView {
    let source = &reviewed.source;
    let amount = money(reviewed.preview.amount.minor, source.decimals, &source.symbol);
    let destination = reviewed.preview.destination.clone();
    let to = elided(&destination);
    let sentence = fill(
        Word::ReviewSentence,
        &[
            ("amount", &amount),
            ("from", &reviewed.vault_name),
            ("to", &to),
            ("chain", &source.chain_name),
        ],
    );
    let recipient = untrack(move || judge(&destination, &draft.known_recipients()));
    let needs_comparison = recipient.needs_comparison();
    let sending = Sending {
        compared: RwSignal::new(false),
        busy: RwSignal::new(false),
        trouble: RwSignal::new(None),
    };
    let notice = notice(&recipient, &reviewed.preview.destination, sending.compared);
    let facts = facts(app, &reviewed, &amount);
    let label = fill(Word::SendButton, &[("amount", &amount), ("to", &to)]);
    let stored = StoredValue::new(reviewed);
    let open = move || !sending.busy.get() && (!needs_comparison || sending.compared.get());
    let press = move |_| {
        if untrack(open) {
            send(app, draft, sending, stored.get_value());
        }
    };
    let button = move || {
        if sending.busy.get() {
            say(Word::Submitted).to_owned()
        } else {
            label.clone()
        }
    };
    let trouble = move || {
        sending.trouble.get().map(|trouble| {
            let unclear = trouble
                .unclear
                .then(|| view! { <p class="notice wait">{say(Word::SendUnclear)}</p> });
            view! { {problem(&trouble, None, None)}{unclear} }
        })
    };
    view! {
        <div class="columns"><div>
            <p class="sentence">{sentence}</p>
            {notice}
            <section class="card"><div class="inside">{facts}</div></section>
            {trouble}
            <div class="row-buttons">
                <button type="button" class="button primary" aria-disabled=move || (!open()).to_string() on:click=press>{button}</button>
                <button type="button" class="button" disabled=move || sending.busy.get() on:click=move |_| draft.reviewed.set(None)>{say(Word::Edit)}</button>
            </div>
        </div><div></div></div>
    }
    .into_any()
}

fn notice(recipient: &Recipient, destination: &str, compared: RwSignal<bool>) -> AnyView {
    let words = match recipient {
        Recipient::Own(name) => fill(Word::ReviewOwn, &[("name", name)]),
        Recipient::Known => say(Word::ReviewKnown).to_owned(),
        Recipient::First => say(Word::ReviewFirst).to_owned(),
        Recipient::LookAlike(known) => fill(Word::ReviewLookAlike, &[("known", &elided(known))]),
    };
    if !recipient.needs_comparison() {
        return view! { <p class="state tone-good">{icon(Icon::Good)}<span>{words}</span></p> }.into_any();
    }
    let marked = match recipient {
        Recipient::LookAlike(known) => Some(view! {
            <p>{address_marked(destination, known)}</p><p class="soft">{address_marked(known, destination)}</p>
        }),
        _ => None,
    };
    let class = if marked.is_some() {
        "notice bad"
    } else {
        "notice wait"
    };
    view! {
        <div class=class>
            <div class="words">
                <p>{words}</p>
                <p>{address_full(destination)}</p>
                {marked}
                <p class="soft small">{say(Word::TooManyKnown)}</p>
            </div>
            <label class="check state"><input type="checkbox" id="compared" prop:checked=move || compared.get()
                on:change=move |e| compared.set(event_target_checked(&e))/><span>{say(Word::ReviewCompared)}</span></label>
        </div>
    }
    .into_any()
}

/// What the account holds when everything went as expensively as it may; none when it is not enough.
pub fn after(balance: Amount, amount: Amount, fee_max: Option<Amount>) -> Option<Amount> {
    balance
        .checked_sub(amount)?
        .checked_sub(fee_max.unwrap_or(Amount::ZERO))
}

fn facts(app: App, reviewed: &Reviewed, amount: &str) -> AnyView {
    let (preview, source) = (&reviewed.preview, &reviewed.source);
    let in_words = |a: &Coin| app.money(&a.asset, a.minor);
    let fee = preview.fee.as_ref().map_or_else(
        || say(Word::ReviewFeeUnknown).to_owned(),
        |fee| {
            fill(
                Word::ReviewFeeValue,
                &[
                    ("expected", &in_words(&fee.expected)),
                    ("max", &in_words(&fee.max)),
                ],
            )
        },
    );
    // A token's fee is paid in the native asset and takes nothing from the token's own balance.
    let fee_max = preview
        .fee
        .as_ref()
        .map(|f| &f.max)
        .filter(|max| max.asset == preview.amount.asset)
        .map(|max| max.minor);
    let left = after(preview.balance.minor, preview.amount.minor, fee_max);
    let left = left.map_or_else(
        || view! { <span class="error-text">{say(Word::ReviewAfterShort)}</span> }.into_any(),
        |left| view! { <span class="amount">{app.money(&source.asset, left)}</span> }.into_any(),
    );
    let rule = match preview.approvals_needed {
        0 => say(Word::ReviewRuleNone).to_owned(),
        n => fill(Word::ReviewRuleSome, &[("n", &n.to_string())]),
    };
    let sandbox = app
        .chains
        .with_untracked(|c| c.iter().any(|c| c.id == source.chain && c.sandbox));
    let sandbox = sandbox.then(|| view! { <span class="soft">" "{say(Word::ReviewSandbox)}</span> });
    let from = view! { <strong>{reviewed.vault_name.clone()}</strong><br/>{address_full(&preview.source)} }
        .into_any();
    let facts = vec![
        fact(Word::ReviewFrom, from),
        fact(Word::ReviewTo, address_full(&preview.destination)),
        fact(
            Word::ReviewAmount,
            view! { <strong class="amount">{amount.to_owned()}</strong> }.into_any(),
        ),
        fact(
            Word::ReviewAsset,
            view! { <span class="mono small">{source.asset.clone()}</span> }.into_any(),
        ),
        fact(
            Word::ReviewNetwork,
            view! { {source.chain_name.clone()}{sandbox} }.into_any(),
        ),
        fact(Word::ReviewFee, text(fee)),
        fact(Word::ReviewBefore, text(in_words(&preview.balance))),
        fact(Word::ReviewAfter, left),
        fact(Word::ReviewRule, text(rule)),
    ];
    view! { <dl class="facts">{facts}</dl> }.into_any()
}

/// Sends exactly what was reviewed, under the review's key; a second attempt is the same request.
fn send(app: App, draft: Draft, sending: Sending, reviewed: Reviewed) {
    sending.busy.set(true);
    sending.trouble.set(None);
    let outgoing =
        Outgoing::post("/v1/transfers".into(), &reviewed.body).with("idempotency-key", reviewed.key);
    spawn_local(async move {
        let answer = request::json::<Accepted>(outgoing).await;
        let _ = sending.busy.try_set(false);
        match answer {
            Ok(accepted) => {
                app.token.set(Some(accepted.token));
                app.said.set(say(Word::Submitted).to_owned());
                app.place.replace(&format!("/transfers/{}", accepted.id));
            }
            Err(trouble) if trouble.is_signed_out() => app.leave(),
            Err(trouble) if trouble.unclear || trouble.fields.is_empty() => {
                let _ = sending.trouble.try_set(Some(trouble));
            }
            Err(trouble) => {
                draft.reviewed.set(None);
                form::refuse(draft, trouble);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_after_should_count_the_fee_at_its_worst() {
        let n = Amount::from_u128;
        assert_eq!(after(n(10), n(7), Some(n(2))), Some(n(1)));
        assert_eq!(after(n(10), n(7), Some(n(4))), None, "the fee counts");
        assert_eq!(after(n(10), n(11), None), None);
        assert_eq!(after(n(10), n(10), None), Some(n(0)));
    }
}
