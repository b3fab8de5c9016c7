//! A part of a page that reads something: it loads, fails and recovers alone, and keeps the last good answer.

use crate::browser;
use crate::moment::Moment;
use crate::request::Pending;
use crate::state::App;
use crate::trouble::Trouble;
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen_futures::spawn_local;

/// How long to wait before a failed panel tries again by itself.
const AGAIN: Duration = Duration::from_secs(5);

/// Codes of what passes without anybody here: something behind the server is away, late or being replaced.
const PASSING: [&str; 5] = [
    "overloaded",
    "read-model-behind",
    "restarting",
    "storage-unavailable",
    "timeout",
];

/// How a panel stands, whatever it reads.
#[derive(Clone, Copy)]
pub struct Standing {
    /// Why the latest attempt failed.
    pub trouble: RwSignal<Option<Trouble>>,
    /// When the last good answer came.
    pub at: RwSignal<Option<Moment>>,
    again: RwSignal<u32>,
    asked: RwSignal<u32>,
}

/// Puts a good answer in its place.
type Commit = Box<dyn FnOnce()>;

/// What a panel has read.
pub struct Panel<T: Send + Sync + 'static> {
    /// The last good answer.
    pub data: RwSignal<Option<T>>,
    /// How it stands.
    pub state: Standing,
}

impl<T: Send + Sync + 'static> Clone for Panel<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Send + Sync + 'static> Copy for Panel<T> {}

impl<T: Send + Sync + 'static> Panel<T> {
    /// Reads now, whenever a signal that `ask` looks at changes, and whenever the live connection may have missed
    /// something. A newer question makes the answer to an older one worthless, whichever comes first.
    pub fn new(ask: impl Fn() -> Pending<T> + 'static) -> Self {
        let data = RwSignal::new(None);
        let ask = move || -> Pending<Commit> {
            let answer = ask();
            Box::pin(async move {
                let answer = answer.await?;
                let commit: Commit = Box::new(move || data.set(Some(answer)));
                Ok(commit)
            })
        };
        Self {
            data,
            state: Standing::follow(Box::new(ask)),
        }
    }

    /// Reads again.
    pub fn reload(self) {
        self.state.reload();
    }
}

impl Standing {
    fn follow(ask: Box<dyn Fn() -> Pending<Commit>>) -> Self {
        let state = Self {
            trouble: RwSignal::new(None),
            at: RwSignal::new(None),
            again: RwSignal::new(0),
            asked: RwSignal::new(0),
        };
        let app = App::here();
        Effect::new(move |_| {
            state.again.track();
            app.live.rereads.track();
            let answer = ask();
            let number = state.asked.get_untracked() + 1;
            state.asked.set(number);
            spawn_local(async move {
                let answer = answer.await;
                if state.asked.try_get_untracked() == Some(number) {
                    state.take(app, answer);
                }
            });
        });
        state
    }

    /// Reads again.
    pub fn reload(self) {
        let _ = self.again.try_update(|n| *n += 1);
    }

    fn take(self, app: App, answer: Result<Commit, Trouble>) {
        match answer {
            Ok(commit) => {
                self.at.set(Some(browser::now()));
                self.trouble.set(None);
                commit();
            }
            Err(trouble) if trouble.is_signed_out() => app.leave(),
            Err(trouble) => {
                let number = self.asked.get_untracked();
                let passing = trouble.unclear || PASSING.contains(&trouble.code.as_str());
                self.trouble.set(Some(trouble));
                if passing {
                    self.reload_later(number);
                }
            }
        }
    }

    /// Tries again by itself, unless someone asked in the meantime.
    fn reload_later(self, number: u32) {
        let again = move || {
            if self.asked.try_get_untracked() == Some(number) {
                self.reload();
            }
        };
        set_timeout(again, AGAIN);
    }
}
