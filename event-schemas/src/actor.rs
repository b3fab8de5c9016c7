//! Who caused an event: a key, a session, or a part of the platform acting on its own.
//!
//! Text is `key:key_…`, `session:ses_…` or `system:<name>`, so that an auditor reads it without a table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, IdError, SessionId};

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A client that signed in with an API key.
    ApiKey(ApiKeyId),
    /// A person in a browser session.
    Session(SessionId),
    /// A saga, a watcher or a start-up step, by its name (`[a-z0-9_-]`, at most 32 characters).
    System(String),
}

impl Actor {
    /// A part of the platform; the name is fixed at compile time.
    pub fn system(name: &'static str) -> Self {
        Self::System(name.to_owned())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "key:{id}"),
            Self::Session(id) => write!(f, "session:{id}"),
            Self::System(name) => write!(f, "system:{name}"),
        }
    }
}

/// The text names no actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no actor; expected key:…, session:… or system:…")]
pub struct ActorError(String);

impl From<IdError> for ActorError {
    fn from(e: IdError) -> Self {
        Self(e.given)
    }
}

impl FromStr for Actor {
    type Err = ActorError;
    fn from_str(text: &str) -> Result<Self, ActorError> {
        let name = |t: &str| {
            (1..=32).contains(&t.len())
                && t.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
        };
        match text.split_once(':') {
            Some(("key", id)) => Ok(Self::ApiKey(id.parse()?)),
            Some(("session", id)) => Ok(Self::Session(id.parse()?)),
            Some(("system", n)) if name(n) => Ok(Self::System(n.to_owned())),
            _ => Err(ActorError(text.chars().take(64).collect())),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_should_round_trip_and_refuse_strangers() {
        let key = Actor::ApiKey(ApiKeyId::from_uuid(crate::id::random(5, 6)));
        for actor in [key, Actor::system("settle_execution")] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        for bad in ["", "key:", "key:vlt_1", "system:", "system:Nope", "root:me"] {
            assert!(bad.parse::<Actor>().is_err(), "{bad:?}");
        }
    }
}
