//! Single keys that move about. None sends, approves or signs; all are silent inside fields and dialogs.

use super::help::HELP;
use super::top_bar::SEARCH;
use crate::browser;
use crate::parts::{is_open, open_dialog};
use crate::state::App;
use leptos::ev;
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// Listens for as long as the frame stands.
pub fn listen(app: App, sheet: RwSignal<bool>) {
    let goes = RwSignal::new(false);
    let handle = window_event_listener(ev::keydown, move |event: KeyboardEvent| {
        let key = event.key();
        if key == "Escape" {
            escape(sheet);
            return;
        }
        let modified = event.ctrl_key() || event.meta_key() || event.alt_key();
        if modified || event.repeat() || is_open() || in_field(&event) {
            return;
        }
        let went = goes.get_untracked();
        goes.set(false);
        match (went, key.as_str()) {
            (true, "h") => app.place.go("/"),
            (true, "v") => app.place.go("/vaults"),
            (true, "t") => app.place.go("/transfers"),
            (false, "g") => {
                goes.set(true);
                set_timeout(
                    move || {
                        let _ = goes.try_set(false);
                    },
                    Duration::from_millis(1_200),
                );
            }
            (false, "/") => {
                event.prevent_default();
                browser::focus(SEARCH);
            }
            (false, "?") => open_dialog(HELP),
            _ => {}
        }
    });
    on_cleanup(move || handle.remove());
}

/// Closes the sheet, or leaves the search field; dialogs close by themselves.
fn escape(sheet: RwSignal<bool>) {
    if sheet.get_untracked() {
        sheet.set(false);
        browser::focus(super::top_bar::MENU);
        return;
    }
    let active = document().active_element().filter(|e| e.id() == SEARCH);
    if let Some(field) = active.and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
        let _ = field.blur();
    }
}

fn in_field(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|t| t.dyn_into::<Element>().ok());
    target.is_some_and(|t| matches!(t.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}
