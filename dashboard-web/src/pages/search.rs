//! What a search found. The text is in the address.

use crate::graphql::search as op;
use crate::panel::Panel;
use crate::parts::{empty, head, show};
use crate::request;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;

const HITS: i64 = 20;

/// The page.
pub fn search() -> AnyView {
    let app = App::here();
    let text = Memo::new(move |_| {
        app.place
            .query
            .with(|q| q.get("q").unwrap_or_default().trim().to_owned())
    });
    let title = move || match text.get() {
        text if text.is_empty() => say(Word::SearchTitle).to_owned(),
        text => fill(Word::SearchFor, &[("text", &text)]),
    };
    let panel = Panel::new(move || {
        let text = text.get();
        if text.is_empty() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        let variables = op::Variables { text, first: HITS };
        let answer = request::ask::<_, op::ResponseData>(op::QUERY, op::OPERATION_NAME, variables);
        Box::pin(async move { answer.await.map(|data| data.search) })
    });
    let content = move |hits: &Vec<op::SearchSearch>| {
        if text.with(String::is_empty) {
            return empty(Word::SearchNothing, Word::SearchNothingWords, None);
        }
        if hits.is_empty() {
            let none = fill(Word::SearchNone, &[("text", &text.get())]);
            return view! { <div class="empty"><strong>{none}</strong><span>{say(Word::SearchNothingWords)}</span></div> }.into_any();
        }
        let rows: Vec<_> = hits.iter().map(hit).collect();
        view! { <ul class="list">{rows}</ul> }.into_any()
    };
    view! {
        {head(Signal::derive(title), ().into_any())}
        <section class="card" aria-label=say(Word::SearchTitle)>{show(panel, content)}</section>
    }
    .into_any()
}

fn hit(hit: &op::SearchSearch) -> AnyView {
    let vault = hit.vault_id.clone().unwrap_or_default();
    let (word, href) = match &hit.kind {
        op::SearchKind::vault => (Word::HitVault, format!("/vaults/{}", hit.id)),
        op::SearchKind::account => (Word::HitAccount, format!("/vaults/{vault}")),
        op::SearchKind::transfer => (Word::HitTransfer, format!("/transfers/{}", hit.id)),
        op::SearchKind::execution => (Word::HitExecution, format!("/executions/{}", hit.id)),
        op::SearchKind::Other(_) => (Word::SearchTitle, "/".to_owned()),
    };
    view! {
        <li><a class="item" href=href>
            <span class="main">{hit.label.clone()}</span><span class="side soft">{say(word)}</span>
            <span class="sub mono">{hit.id.clone()}</span>
        </a></li>
    }
    .into_any()
}
