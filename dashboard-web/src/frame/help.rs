//! The list of keys.

use crate::parts::{close_dialogs, dialog};
use crate::words::{Word, say};
use leptos::prelude::*;

/// The dialog's id.
pub const HELP: &str = "help";

/// The dialog.
pub fn help() -> AnyView {
    const KEYS: [(&str, Word); 6] = [
        ("/", Word::HelpSearch),
        ("g h", Word::HelpHome),
        ("g v", Word::HelpVaults),
        ("g t", Word::HelpTransfers),
        ("?", Word::HelpHelp),
        ("Esc", Word::HelpEscape),
    ];
    let keys: Vec<_> = KEYS
        .iter()
        .map(|(key, word)| view! { <dt><kbd>{*key}</kbd></dt><dd>{say(*word)}</dd> })
        .collect();
    let content = view! {
        <div class="stack">
            <h2>{say(Word::Help)}</h2>
            <dl class="keys">{keys}</dl>
            <p class="soft small">{say(Word::HelpNote)}</p>
            <div class="row-buttons">
                <button type="button" class="button" on:click=|_| close_dialogs()>{say(Word::Close)}</button>
            </div>
        </div>
    };
    dialog(
        HELP,
        Signal::derive(|| say(Word::Help).to_owned()),
        content.into_any(),
    )
}
