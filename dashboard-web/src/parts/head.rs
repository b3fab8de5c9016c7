//! The top of a page: its one heading, which takes the keyboard's place when one comes here, and its actions.

use crate::browser;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;

const HEADING: &str = "heading";

/// The heading in fixed words, with what stands to its right.
pub fn head_of(title: Word, actions: AnyView) -> AnyView {
    head(Signal::derive(move || say(title).to_owned()), actions)
}

/// The heading, with what stands to its right.
pub fn head(title: Signal<String>, actions: AnyView) -> AnyView {
    let app = App::here();
    Effect::new(move |_| {
        let text = fill(Word::PageTitle, &[("page", &title.get())]);
        document().set_title(&text);
    });
    if app.place.moves.get_untracked() > 0 {
        request_animation_frame(|| browser::focus(HEADING));
    }
    view! {
        <div class="head">
            <div><h1 id=HEADING tabindex="-1">{move || title.get()}</h1></div>
            <div class="actions">{actions}</div>
        </div>
    }
    .into_any()
}
