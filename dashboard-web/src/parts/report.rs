//! How a panel shows that it loads, has nothing, or failed. Old data stays on screen with its age.

use super::marks::copy;
use crate::moment::age;
use crate::panel::{Panel, Standing};
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, fill, say};
use leptos::prelude::*;

/// Grey lines, shown after 150 ms only.
fn skeleton() -> AnyView {
    view! { <div class="skeleton" aria-hidden="true"><i></i><i></i><i></i><i></i></div> }.into_any()
}

/// Nothing to show: what that means, and what to do first.
pub fn empty(title: Word, words: Word, action: Option<AnyView>) -> AnyView {
    view! { <div class="empty"><strong>{say(title)}</strong><span>{say(words)}</span>{action}</div> }
        .into_any()
}

/// What failed, what was not done, what to do, which id to quote.
pub fn problem(trouble: &Trouble, stale: Option<String>, retry: Option<Callback<()>>) -> AnyView {
    let Trouble {
        title,
        detail,
        remedy,
        request_id,
        ..
    } = trouble.clone();
    let same = detail == title;
    let retry = retry.map(|retry| {
        view! { <button type="button" class="button" on:click=move |_| retry.run(())>{say(Word::Retry)}</button> }
    });
    let id = (!request_id.is_empty()).then(|| {
        view! { <span class="small soft mono">{request_id.clone()}</span>{copy(Word::WhatRequest, request_id)} }
    });
    view! {
        <div class="notice bad" role="alert">
            <div class="words">
                <strong>{title}</strong>" "
                {(!same).then_some(detail)}" "<span class="soft">{remedy}" "{stale}</span>
            </div>
            <div class="trail">{id}{retry}</div>
        </div>
    }
    .into_any()
}

/// Nothing that this session may see, and who can change that.
fn no_permission(trouble: &Trouble) -> AnyView {
    let words = if trouble.detail.is_empty() {
        &trouble.title
    } else {
        &trouble.detail
    };
    let words = fill(Word::NoPermissionWords, &[("detail", words)]);
    view! { <div class="empty"><strong>{say(Word::NoPermission)}</strong><span>{words}</span></div> }
        .into_any()
}

/// A panel's content, or how it stands.
pub fn show<T: Send + Sync + 'static>(
    panel: Panel<T>,
    view: impl Fn(&T) -> AnyView + Send + 'static,
) -> AnyView {
    shown(
        panel.state,
        Box::new(move || panel.data.with(|data| data.as_ref().map(&view))),
    )
}

/// The part of [`show`] that is the same for every panel, and therefore in the module once.
fn shown(state: Standing, content: Box<dyn Fn() -> Option<AnyView> + Send>) -> AnyView {
    let app = App::here();
    let trouble = move || {
        state.trouble.get().map(|trouble| {
            if trouble.code == "scope-missing" {
                return no_permission(&trouble);
            }
            let stale = state.at.get().map(|at| {
                let age = age(at.age_ms(app.now.get_untracked()));
                fill(Word::StaleNote, &[("age", &age)])
            });
            problem(&trouble, stale, Some(Callback::new(move |()| state.reload())))
        })
    };
    let content = move || match content() {
        Some(content) => content,
        None if state.trouble.with(Option::is_none) => skeleton(),
        None => ().into_any(),
    };
    view! { {trouble}{content} }.into_any()
}
