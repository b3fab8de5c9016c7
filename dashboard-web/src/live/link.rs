//! The browser's side of the live connection: socket, timers, session storage, signals.

use super::core::{Core, Effect, Input, Link, Subscription};
use super::protocol;
use crate::browser;
use leptos::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

const CURSOR: &str = "vaultstream.events.after";

type Handler = Rc<dyn Fn(&str)>;

struct Socket {
    socket: WebSocket,
    _opened: Closure<dyn FnMut(Event)>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

struct Inner {
    core: Core,
    socket: Option<Socket>,
    handlers: BTreeMap<u32, Handler>,
}

/// The live connection of the page.
#[derive(Clone, Copy)]
pub struct Live {
    inner: StoredValue<Rc<RefCell<Inner>>, LocalStorage>,
    /// How it stands.
    pub link: RwSignal<Link>,
    /// Since when there is no connection, by this machine's clock in milliseconds.
    pub lost_at: RwSignal<Option<i64>>,
    /// Counts the times that everything shown has to be read again.
    pub rereads: RwSignal<u32>,
    /// The session is over.
    pub signed_out: RwSignal<bool>,
}

impl Live {
    /// A connection that is not yet asked for.
    pub fn new() -> Self {
        let inner = Inner {
            core: Core::new(browser::remembered(CURSOR)),
            socket: None,
            handlers: BTreeMap::new(),
        };
        let live = Self {
            inner: StoredValue::new_local(Rc::new(RefCell::new(inner))),
            link: RwSignal::new(Link::Idle),
            lost_at: RwSignal::new(None),
            rereads: RwSignal::new(0),
            signed_out: RwSignal::new(false),
        };
        set_interval(move || live.step(&Input::Tick), Duration::from_secs(1));
        for (name, input) in [("online", Input::Redial), ("offline", Input::Tick)] {
            let _ = window_event_listener_untyped(name, move |_| match input {
                Input::Redial => live.dial(),
                _ => live.step(&Input::Tick),
            });
        }
        live
    }

    /// Connects, when that is not done already.
    pub fn dial(self) {
        self.step(&Input::Redial);
    }

    /// Ends the connection and forgets where events were, because another session may be another organization.
    pub fn forget(self) {
        browser::remember(CURSOR, None);
        self.inner.with_value(|inner| {
            let mut inner = inner.borrow_mut();
            inner.socket = None;
            inner.core = Core::new(None);
            inner.handlers.clear();
        });
        self.link.set(Link::Idle);
    }

    /// The event stream was read up to here.
    pub fn advance(self, cursor: &str) {
        browser::remember(CURSOR, Some(cursor));
        self.inner
            .with_value(|inner| inner.borrow_mut().core.advance(cursor.to_owned()));
    }

    /// Subscribes for as long as the present part of the page lives.
    pub fn subscribe<D: serde::de::DeserializeOwned>(
        self,
        query: &'static str,
        operation: &'static str,
        variables: &impl serde::Serialize,
        handle: impl Fn(D) + 'static,
    ) {
        let variables = serde_json::to_string(variables).unwrap_or_else(|_| "{}".into());
        // An operation without variables serialises as null; the protocol wants an object.
        let variables = if variables == "null" {
            "{}".into()
        } else {
            variables
        };
        let subscription = Subscription {
            query,
            operation,
            variables,
            resumable: operation == crate::graphql::events::OPERATION_NAME,
        };
        let handler = move |payload: &str| {
            if let Some(data) = protocol::item(payload) {
                handle(data);
            }
        };
        self.attach(subscription, Rc::new(handler));
    }

    fn attach(self, subscription: Subscription, handler: Handler) {
        let begun = self.inner.with_value(|inner| {
            let mut inner = inner.borrow_mut();
            let (id, effects) = inner.core.subscribe(subscription)?;
            inner.handlers.insert(id, handler);
            Some((id, effects))
        });
        let Some((id, effects)) = begun else { return };
        self.perform(effects);
        on_cleanup(move || {
            let effects = self.inner.try_with_value(|inner| {
                let mut inner = inner.borrow_mut();
                inner.handlers.remove(&id);
                inner.core.unsubscribe(id)
            });
            self.perform(effects.unwrap_or_default());
        });
    }

    fn step(self, input: &Input<'_>) {
        let effects = self.inner.try_with_value(|inner| {
            let mut inner = inner.borrow_mut();
            let effects = inner.core.step(input, browser::now().0, browser::random());
            (effects, inner.core.link())
        });
        let Some((effects, link)) = effects else { return };
        if self.link.get_untracked() != link {
            self.link.set(link);
            match link {
                Link::Joined | Link::Idle => self.lost_at.set(None),
                Link::Waiting if self.lost_at.get_untracked().is_none() => {
                    self.lost_at.set(Some(browser::now().0));
                }
                _ => {}
            }
        }
        self.perform(effects);
    }

    fn perform(self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Dial => self.open(),
                Effect::Send(text) => {
                    self.inner.with_value(|inner| {
                        if let Some(socket) = &inner.borrow().socket {
                            let _ = socket.socket.send_with_str(&text);
                        }
                    });
                }
                Effect::RedialIn(ms) => {
                    set_timeout(move || self.step(&Input::Redial), Duration::from_millis(ms));
                }
                Effect::Hang => self.inner.with_value(|inner| inner.borrow_mut().socket = None),
                Effect::Deliver(id, payload) => {
                    let handler = self
                        .inner
                        .with_value(|inner| inner.borrow().handlers.get(&id).cloned());
                    if let Some(handler) = handler {
                        handler(&payload);
                    }
                }
                Effect::Reread => self.rereads.update(|n| *n += 1),
                Effect::SignedOut => self.signed_out.set(true),
            }
        }
    }

    fn open(self) {
        let Some(socket) = connect() else {
            set_timeout(move || self.step(&Input::Closed(1006)), Duration::ZERO);
            return;
        };
        let opened = Closure::<dyn FnMut(Event)>::new(move |_| self.step(&Input::Opened));
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(text) = event.data().as_string() {
                self.step(&Input::Message(&text));
            }
        });
        let closed = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            self.step(&Input::Closed(event.code()));
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        let socket = Socket {
            socket,
            _opened: opened,
            _message: message,
            _closed: closed,
        };
        self.inner
            .with_value(|inner| inner.borrow_mut().socket = Some(socket));
    }
}

fn connect() -> Option<WebSocket> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" {
        "wss"
    } else {
        "ws"
    };
    let address = format!("{scheme}://{}{}", location.host().ok()?, protocol::PATH);
    WebSocket::new_with_str(&address, protocol::NAME).ok()
}
