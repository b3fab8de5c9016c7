//! Every text of this page.

pub const TITLE: &str = "Projections";
pub const ABOUT: &str = "What is read is folded from the log by these projections. A stream that one of them cannot fold is parked, from \
                         that event on, and holds nothing else up; here it can be tried again once its cause is mended.";
pub const LOADING: &str = "Loading…";
pub const UNREACHABLE: &str = "The server does not answer";
pub const TRIES_AGAIN: &str = "This page asks again by itself; what is shown below is from before.";
pub const UNREADABLE: &str = "The server's answer cannot be read";
pub const RELOAD: &str = "Reload the page; it may be older than the server.";
pub const SIGN_IN: &str = "Sign in with a key of the platform organization that has the scope views:write (platform.key), then come back.";
pub const TO_SIGN_IN: &str = "To the dashboard";
pub const PROJECTION: &str = "Projection";
pub const FAMILY: &str = "Chain or core";
pub const FOLDED: &str = "Folded";
pub const LAG: &str = "Behind";
pub const RATE: &str = "Events a second";
pub const GENERATION: &str = "Generation";
pub const PARKED: &str = "Parked streams";
pub const STATE: &str = "State";
pub const SHOW: &str = "Show";
pub const CLOSE: &str = "Close";
pub const STREAM: &str = "Stream";
pub const EVENT: &str = "First event that is not folded";
pub const POSITION: &str = "Position";
pub const WAITING: &str = "Waiting";
pub const WHY: &str = "Why";
pub const NOTHING_PARKED: &str = "Nothing is parked here.";
pub const MORE: &str = "More are parked than are shown; `vaultstream views quarantine` lists all.";
pub const REASON: &str = "Reason, for the record";
pub const RETRY: &str = "Try again";
pub const ASKED: &str = "Asked for. What becomes of it is shown in the table.";
