//! The operators' page: every projection with its lag, rate and generation, the streams it has parked, and another try
//! at them. `operations.html` and a module of its own, which only who opens it fetches.
//!
//! It is a client of `/v1/views` like the command line, with the session of who is signed in; it holds no key. Refuses
//! what the API refuses, in its words.

mod board;
mod fetch;
mod parked;
mod table;
mod words;

use leptos::mount::mount_to;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

fn main() {
    let document = web_sys::window().and_then(|w| w.document());
    let place = document.and_then(|d| d.get_element_by_id("app"));
    if let Some(place) = place.and_then(|p| p.dyn_into::<HtmlElement>().ok()) {
        place.set_text_content(None);
        mount_to(place, board::page).forget();
    }
}
