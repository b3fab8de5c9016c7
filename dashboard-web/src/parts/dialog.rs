//! Dialogs: the browser's own, which keep the keyboard inside, close on Escape and give the focus back.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlDialogElement;

fn find(id: &str) -> Option<HtmlDialogElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// A dialog, closed at first.
pub fn dialog(id: &'static str, label: Signal<String>, content: AnyView) -> AnyView {
    view! { <dialog id=id aria-label=move || label.get()>{content}</dialog> }.into_any()
}

/// Opens it.
pub fn open_dialog(id: &str) {
    if let Some(dialog) = find(id).filter(|d| !d.open()) {
        let _ = dialog.show_modal();
    }
}

/// Whether any dialog is open.
pub fn is_open() -> bool {
    document()
        .query_selector("dialog[open]")
        .is_ok_and(|d| d.is_some())
}

/// Closes whatever dialog is open.
pub fn close_dialogs() {
    while let Ok(Some(open)) = document().query_selector("dialog[open]") {
        match open.dyn_into::<HtmlDialogElement>() {
            Ok(dialog) => dialog.close(),
            Err(_) => return,
        }
    }
}
