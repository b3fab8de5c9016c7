//! A form's field: label, hint, the control, and what is wrong with it, tied together for those who listen.

use crate::words::{Word, say};
use leptos::prelude::*;
use web_sys::Event;

/// What a text field is.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its id and name.
    pub id: &'static str,
    /// Its label.
    pub label: Word,
    /// What helps to fill it in.
    pub hint: Option<Word>,
    /// `text`, `password`.
    pub kind: &'static str,
    /// Which keyboard a phone shows.
    pub mode: &'static str,
}

/// A text field; `wrong` says what to correct.
pub fn field(
    what: Field,
    value: RwSignal<String>,
    wrong: Signal<Option<String>>,
    unit: Option<AnyView>,
) -> AnyView {
    let Field {
        id,
        label,
        hint,
        kind,
        mode,
    } = what;
    let hint_id = format!("{id}-hint");
    let wrong_id = format!("{id}-wrong");
    let described = format!("{hint_id} {wrong_id}");
    let class = if unit.is_some() { "with-unit" } else { "" };
    let typed = move |event: Event| value.set(event_target_value(&event));
    view! {
        <div class="field">
            <label for=id>{say(label)}</label>
            <div class=class>
                <input id=id name=id type=kind inputmode=mode autocomplete="off" autocapitalize="off" spellcheck="false"
                    prop:value=move || value.get() on:input=typed aria-describedby=described
                    aria-invalid=move || wrong.with(Option::is_some).to_string()/>
                {unit}
            </div>
            <span class="hint" id=hint_id>{hint.map(say)}</span>
            <span class="error-text" id=wrong_id aria-live="polite">{move || wrong.get()}</span>
        </div>
    }
    .into_any()
}
