//! The address bar as a signal, and links that change it without loading the page again.
//!
//! Written here rather than taken from a router crate: eleven fixed paths need a match, not a matcher, and every
//! kilobyte of the module is paid for by every visit.

use crate::browser;
use crate::route::{Query, Route};
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use web_sys::{Element, MouseEvent};

/// Where one is.
#[derive(Clone, Copy)]
pub struct Place {
    path: RwSignal<String>,
    search: RwSignal<String>,
    /// The page.
    pub route: Memo<Route>,
    /// Filters, sort, page.
    pub query: Memo<Query>,
    /// Counts changes of page, so that focus moves to the new heading but not on the first load.
    pub moves: RwSignal<u32>,
}

impl Place {
    /// Follows the address bar from now on.
    pub fn follow() -> Self {
        let (at_path, at_search) = present();
        let path = RwSignal::new(at_path);
        let search = RwSignal::new(at_search);
        let place = Self {
            path,
            search,
            route: Memo::new(move |_| Route::parse(&path.get())),
            query: Memo::new(move |_| Query::parse(&search.get())),
            moves: RwSignal::new(0),
        };
        let _ = window_event_listener(ev::popstate, move |_| place.read());
        let _ = window_event_listener(ev::click, move |event| place.follow_link(&event));
        place
    }

    /// Goes to an address of our own.
    pub fn go(self, address: &str) {
        self.change(address, false);
    }

    /// Goes there without a way back to here: redirects, and filters that change while one types.
    pub fn replace(self, address: &str) {
        self.change(address, true);
    }

    /// Changes one value of the query.
    pub fn set(self, name: &str, value: &str) {
        let query = self.query.get_untracked().with(name, value);
        self.replace(&query.on(&self.path.get_untracked()));
    }

    /// The present address, path and query.
    pub fn address(self) -> String {
        format!("{}{}", self.path.get_untracked(), self.search.get_untracked())
    }

    fn change(self, address: &str, replace: bool) {
        let Some(history) = web_sys::window().and_then(|w| w.history().ok()) else {
            return;
        };
        let done = if replace {
            history.replace_state_with_url(&JsValue::NULL, "", Some(address))
        } else {
            history.push_state_with_url(&JsValue::NULL, "", Some(address))
        };
        if done.is_ok() {
            self.read();
        }
    }

    fn read(self) {
        let (path, search) = present();
        if self.path.get_untracked() != path {
            self.moves.update(|n| *n += 1);
            self.search.set(search);
            self.path.set(path);
            browser::scroll_to_top();
        } else if self.search.get_untracked() != search {
            self.search.set(search);
        }
    }

    /// Takes over plain clicks on links to our own pages; new tabs, downloads and other paths stay the browser's.
    fn follow_link(self, event: &MouseEvent) {
        let plain = event.button() == 0
            && !event.default_prevented()
            && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
        let target = event.target().and_then(|t| t.dyn_into::<Element>().ok());
        let link = target.and_then(|t| t.closest("a[href]").ok().flatten());
        let Some(link) = link.filter(|l| plain && !l.has_attribute("target") && !l.has_attribute("download"))
        else {
            return;
        };
        let href = link.get_attribute("href").unwrap_or_default();
        let path = href.split('?').next().unwrap_or_default();
        let ours = href.starts_with('/') && !href.starts_with("//") && Route::parse(path) != Route::Unknown;
        if ours {
            event.prevent_default();
            self.go(&href);
        }
    }
}

fn present() -> (String, String) {
    let location = web_sys::window().map(|w| w.location());
    let part = |text: Option<String>| text.unwrap_or_default();
    let path = location.as_ref().and_then(|l| l.pathname().ok());
    (part(path), part(location.and_then(|l| l.search().ok())))
}
