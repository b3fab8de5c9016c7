//! No such page, or no such thing.

use crate::parts::{empty, head_of};
use crate::words::{Word, say};
use leptos::prelude::*;

/// The page.
pub fn unknown() -> AnyView {
    view! {
        {head_of(Word::NotFoundTitle, ().into_any())}
        <section class="card">{absent()}</section>
    }
    .into_any()
}

/// What stands where something was looked for and is not.
pub fn absent() -> AnyView {
    let action = view! { <a class="button" href="/">{say(Word::BackHome)}</a> }.into_any();
    empty(Word::NotFoundTitle, Word::NotFoundWords, Some(action))
}
