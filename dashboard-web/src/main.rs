//! The dashboard: a client of the public APIs like any other, compiled to WebAssembly.
//!
//! Invariants: it holds no key beyond the field one is pasted into; it shows nothing it was not told (money actions are
//! never optimistic); it needs no inline script or style, so its page can forbid both.

mod browser;
mod event_data;
mod figures;
mod frame;
mod graphql;
mod icons;
mod live;
mod location;
mod moment;
mod money_entry;
mod pages;
mod panel;
mod parts;
mod recipients;
mod request;
mod route;
mod rows;
mod sentences;
mod state;
mod timeline;
mod trouble;
mod words;

#[cfg(test)]
mod contrast;

use leptos::mount::mount_to;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

fn main() {
    let document = web_sys::window().and_then(|w| w.document());
    let place = document.and_then(|d| d.get_element_by_id("app"));
    if let Some(place) = place.and_then(|p| p.dyn_into::<HtmlElement>().ok()) {
        place.set_text_content(None);
        mount_to(place, frame::frame).forget();
    }
}
