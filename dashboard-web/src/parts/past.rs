//! The past of a page: a date picker, and the banner that says which moment is shown. The moment stands in the address, so
//! that it can be handed on.

use crate::browser;
use crate::moment::Moment;
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use web_sys::SubmitEvent;

const NAME: &str = "asOf";

/// The moment the page is turned to, in RFC 3339; none is now.
pub fn then(app: App) -> Memo<Option<String>> {
    Memo::new(move |_| {
        let asked = app.place.query.with(|q| q.get(NAME).map(str::to_owned));
        asked.filter(|text| !text.is_empty())
    })
}

/// The picker, and the banner while the page shows the past.
pub fn past(app: App, then: Memo<Option<String>>) -> AnyView {
    let typed = RwSignal::new(String::new());
    let turn = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(moment) = browser::moment_of(&typed.get_untracked()) {
            app.place.set(NAME, &browser::iso(moment));
        }
    };
    let back = move |_| app.place.set(NAME, "");
    let banner = move || {
        then.get().map(|text| {
            let moment: Option<Moment> = browser::moment_of(&text);
            let shown = moment.map_or(text, browser::short_time);
            let words = fill(Word::PastBanner, &[("moment", &shown)]);
            view! { <p class="past"><strong>{say(Word::Past)}</strong><span>{words}</span>
            <button type="button" class="button quiet" on:click=back>{say(Word::PastLeave)}</button></p> }
        })
    };
    view! {
        <div role="status">{banner}</div>
        <form class="then" on:submit=turn>
            <label for="then">{say(Word::PastLabel)}</label>
            <input id="then" type="datetime-local" step="1" required=true
                on:input=move |event| typed.set(event_target_value(&event))/>
            <button class="button quiet">{say(Word::PastShow)}</button>
        </form>
    }
    .into_any()
}
