//! Decides what the live connection does next. Knows no browser, no clock, no randomness: all three are handed in.
//!
//! Invariants: subscriptions survive the connection; the event stream resumes after the last item that was seen; a
//! session that is over is never retried; a silent connection is given up.

use super::backoff;
use super::protocol::{self, FORBIDDEN, Incoming, UNAUTHORIZED};
use std::collections::{BTreeMap, BTreeSet};

/// Without any message for this long, the connection counts as dead: the server reports freshness every second.
pub const SILENCE_MS: i64 = 12_000;
const PING_EVERY_MS: i64 = 5_000;
/// Subscriptions one page may hold; far above what any page asks for.
const SUBSCRIPTIONS_MAX: usize = 32;

/// What a subscription asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The document.
    pub query: &'static str,
    /// Its operation.
    pub operation: &'static str,
    /// Its variables, a JSON object; those of the event stream are made from its cursor.
    pub variables: String,
    /// Whether it goes on after a cursor.
    pub resumable: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The socket is open.
    Opened,
    /// A message came.
    Message(&'a str),
    /// The socket is closed, with its code.
    Closed(u16),
    /// Time went by.
    Tick,
    /// The pause is over, or the network is back.
    Redial,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a socket.
    Dial,
    /// Send a message.
    Send(String),
    /// Dial again after a pause.
    RedialIn(u64),
    /// Close the socket.
    Hang,
    /// Hand an item to its subscriber.
    Deliver(u32, String),
    /// Everything shown may have missed something: read it again.
    Reread,
    /// The session is over.
    SignedOut,
}

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Not asked for yet, or for good over.
    Idle,
    /// Being opened.
    Dialing,
    /// Subscriptions run.
    Joined,
    /// Waits before it tries again.
    Waiting,
}

/// The connection.
#[derive(Debug)]
pub struct Core {
    link: Link,
    attempt: u32,
    joined_before: bool,
    subscriptions: BTreeMap<u32, Subscription>,
    next_id: u32,
    cursor: Option<String>,
    ended: BTreeSet<u32>,
    heard_at: i64,
    pinged_at: i64,
}

impl Core {
    /// A connection that is not yet asked for; events go on after `cursor`.
    pub const fn new(cursor: Option<String>) -> Self {
        Self {
            link: Link::Idle,
            attempt: 0,
            joined_before: false,
            subscriptions: BTreeMap::new(),
            next_id: 1,
            cursor,
            ended: BTreeSet::new(),
            heard_at: 0,
            pinged_at: 0,
        }
    }

    /// How it stands.
    pub const fn link(&self) -> Link {
        self.link
    }

    /// The event stream was read up to here.
    pub fn advance(&mut self, cursor: String) {
        self.cursor = Some(cursor);
    }

    /// Adds a subscription: its number, and what to send now. Refuses beyond the limit.
    pub fn subscribe(&mut self, subscription: Subscription) -> Option<(u32, Vec<Effect>)> {
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.subscriptions.insert(id, subscription);
        let effects = match self.link {
            Link::Joined => self.begin(id).into_iter().collect(),
            _ => Vec::new(),
        };
        Some((id, effects))
    }

    /// Takes a subscription away.
    pub fn unsubscribe(&mut self, id: u32) -> Vec<Effect> {
        let known = self.subscriptions.remove(&id).is_some();
        if known && self.link == Link::Joined {
            return vec![Effect::Send(protocol::complete(id))];
        }
        Vec::new()
    }

    /// Takes note of what happened at `now` (milliseconds) and says what to do.
    pub fn step(&mut self, input: &Input<'_>, now: i64, random: u32) -> Vec<Effect> {
        match input {
            Input::Redial if self.link != Link::Joined && self.link != Link::Dialing => {
                self.link = Link::Dialing;
                self.heard_at = now;
                vec![Effect::Dial]
            }
            Input::Redial => Vec::new(),
            Input::Opened => {
                self.heard_at = now;
                vec![Effect::Send(protocol::init())]
            }
            Input::Message(text) => {
                self.heard_at = now;
                protocol::read(text).map_or_else(Vec::new, |message| self.message(message))
            }
            Input::Closed(UNAUTHORIZED | FORBIDDEN) => {
                self.link = Link::Idle;
                vec![Effect::SignedOut]
            }
            Input::Closed(_) => self.wait(random),
            Input::Tick => self.tick(now, random),
        }
    }

    fn wait(&mut self, random: u32) -> Vec<Effect> {
        if matches!(self.link, Link::Idle | Link::Waiting) {
            return Vec::new();
        }
        self.link = Link::Waiting;
        let pause = backoff::wait_ms(self.attempt, random);
        self.attempt = self.attempt.saturating_add(1);
        vec![Effect::RedialIn(pause)]
    }

    fn tick(&mut self, now: i64, random: u32) -> Vec<Effect> {
        let busy = matches!(self.link, Link::Joined | Link::Dialing);
        if busy && now - self.heard_at > SILENCE_MS {
            let mut effects = vec![Effect::Hang];
            effects.extend(self.wait(random));
            return effects;
        }
        if self.link != Link::Joined {
            return Vec::new();
        }
        let again = std::mem::take(&mut self.ended);
        let mut effects: Vec<Effect> = again.into_iter().filter_map(|id| self.begin(id)).collect();
        if now - self.pinged_at >= PING_EVERY_MS {
            self.pinged_at = now;
            effects.push(Effect::Send(protocol::ping()));
        }
        effects
    }

    fn message(&mut self, message: Incoming) -> Vec<Effect> {
        match message {
            Incoming::Ack => {
                self.link = Link::Joined;
                self.attempt = 0;
                self.ended.clear();
                let ids: Vec<u32> = self.subscriptions.keys().copied().collect();
                let mut effects: Vec<Effect> = ids.into_iter().filter_map(|id| self.begin(id)).collect();
                if self.joined_before {
                    effects.push(Effect::Reread);
                }
                self.joined_before = true;
                effects
            }
            Incoming::Ping => vec![Effect::Send(protocol::pong())],
            Incoming::Pong => Vec::new(),
            Incoming::Next(id, payload) if self.subscriptions.contains_key(&id) => {
                vec![Effect::Deliver(id, payload.get().to_owned())]
            }
            Incoming::Next(..) => Vec::new(),
            Incoming::Error(id, errors) => {
                let first = errors
                    .into_iter()
                    .next()
                    .map(|e| e.extensions)
                    .unwrap_or_default();
                self.ended(id, &first.code, first.after)
            }
            Incoming::Complete(id) => self.ended(id, "", None),
        }
    }

    /// A subscription ended on the server's side. The event stream is taken up again: after its cursor, or, when the
    /// cursor is of no use any more, from now on with everything read again. Others are asked for again at the next tick.
    fn ended(&mut self, id: u32, code: &str, after: Option<String>) -> Vec<Effect> {
        match code {
            "unauthenticated" => return vec![Effect::SignedOut],
            "overloaded" if after.is_some() => self.cursor = after,
            "cursor-invalid" | "token-invalid" if self.cursor.is_some() => self.cursor = None,
            _ => {
                // What a view does not know yet it may know at the next tick; nothing is asked for faster than that.
                self.ended.insert(id);
                return Vec::new();
            }
        }
        let resumable = self.subscriptions.get(&id).is_some_and(|s| s.resumable);
        if !resumable {
            return Vec::new();
        }
        let mut effects: Vec<Effect> = self.begin(id).into_iter().collect();
        if self.cursor.is_none() {
            effects.push(Effect::Reread);
        }
        effects
    }

    fn begin(&self, id: u32) -> Option<Effect> {
        let subscription = self.subscriptions.get(&id)?;
        let variables = match (&self.cursor, subscription.resumable) {
            (Some(cursor), true) => {
                let cursor = serde_json::to_string(cursor).unwrap_or_else(|_| "null".into());
                format!("{{\"after\":{cursor}}}")
            }
            _ => subscription.variables.clone(),
        };
        let text = protocol::subscribe(id, subscription.query, subscription.operation, &variables);
        Some(Effect::Send(text))
    }
}

#[cfg(test)]
mod tests;
