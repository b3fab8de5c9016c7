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

/// What a panel has read.
pub struct Panel<T: Send + Sync + 'static> {
    /// The last good answer.
    pub data: RwSignal<Option<T>>,
    /// Why the latest attempt failed.
    pub trouble: RwSignal<Option<Trouble>>,
    /// When the last good answer came.
    pub at: RwSignal<Moment>,
    /// Whether an attempt is under way.
    pub busy: RwSignal<bool>,
    again: RwSignal<u32>,
    asked: RwSignal<u32>,
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
        let panel = Self {
            data: RwSignal::new(None),
            trouble: RwSignal::new(None),
            at: RwSignal::new(Moment::default()),
            busy: RwSignal::new(false),
            again: RwSignal::new(0),
            asked: RwSignal::new(0),
        };
        let app = App::here();
        Effect::new(move |_| {
            panel.again.track();
            app.live.rereads.track();
            let answer = ask();
            let number = panel.asked.get_untracked() + 1;
            panel.asked.set(number);
            panel.busy.set(true);
            spawn_local(async move {
                let answer = answer.await;
                if panel.asked.try_get_untracked() == Some(number) {
                    panel.take(app, answer);
                }
            });
        });
        panel
    }

    /// Reads again.
    pub fn reload(self) {
        let _ = self.again.try_update(|n| *n += 1);
    }

    fn take(self, app: App, answer: Result<T, Trouble>) {
        self.busy.set(false);
        match answer {
            Ok(data) => {
                self.at.set(browser::now());
                self.trouble.set(None);
                self.data.set(Some(data));
            }
            Err(trouble) if trouble.is_signed_out() => app.leave(),
            Err(trouble) => {
                let number = self.asked.get_untracked();
                let passing =
                    trouble.unclear || matches!(trouble.code.as_str(), "read-model-behind" | "overloaded");
                self.trouble.set(Some(trouble));
                if passing {
                    set_timeout(
                        move || {
                            if self.asked.try_get_untracked() == Some(number) {
                                self.reload();
                            }
                        },
                        AGAIN,
                    );
                }
            }
        }
    }
}
