//! Upcasters: what was written once is read as what is current, 1 → N.
//!
//! An upcaster turns one payload of an older version into the payloads, of any types, that say the same today: it can
//! rename, split or drop. A [`Chain`] applies upcasters until only current versions remain. The chain of released
//! events is empty, because every released payload is still current; tests run a three-version event through the
//! same code. Refuses: a version newer than this build knows (the reader waits, it never guesses).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::envelope::StoredEvent;

/// The most payloads one stored event may become, and the most steps it may take.
pub const MAX_FAN_OUT: usize = 16;

/// One payload on its way to the current version.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned {
    /// The type's name on the wire.
    pub event_type: Cow<'static, str>,
    /// The version of `payload`.
    pub version: u16,
    /// The payload.
    pub payload: Value,
}

/// Turns one payload into its successors; an empty list drops it.
pub type Upcaster = fn(Value) -> Result<Vec<Versioned>, UpcastError>;

/// Why a stored payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UpcastError {
    /// The stored version is newer than this build, or the type is unknown.
    #[error(
        "event type {event_type} version {version} is unknown to this build; it is retried after an upgrade"
    )]
    Unknown {
        /// The type on the wire.
        event_type: String,
        /// The stored version.
        version: u16,
    },
    /// The payload does not have the shape its version promises.
    #[error("payload of {event_type} version {version} does not have its shape")]
    Shape {
        /// The type on the wire.
        event_type: String,
        /// The stored version.
        version: u16,
        /// What serde said.
        #[source]
        source: serde_json::Error,
    },
    /// More than [`MAX_FAN_OUT`] steps or results.
    #[error("upcasting {0} does not come to an end")]
    Endless(String),
}

/// The current version of each known type, and the upcasters that lead there.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    current: BTreeMap<&'static str, u16>,
    steps: BTreeMap<(&'static str, u16), Upcaster>,
}

impl Chain {
    /// Knows the given types at their current versions.
    pub fn new(current: &[(&'static str, u16)]) -> Self {
        Self {
            current: current.iter().copied().collect(),
            steps: BTreeMap::new(),
        }
    }

    /// Adds the step that leaves `version` of `event_type`.
    #[must_use]
    pub fn with(mut self, event_type: &'static str, version: u16, step: Upcaster) -> Self {
        self.steps.insert((event_type, version), step);
        self
    }

    /// Whether the stored version is already the current one, so that its bytes can be read as they are.
    pub fn is_current(&self, event_type: &str, version: u16) -> bool {
        self.current.get(event_type) == Some(&version)
    }

    /// Brings a stored payload to current versions, in order.
    pub fn upcast(
        &self,
        event_type: &str,
        version: u16,
        payload: &[u8],
    ) -> Result<Vec<Versioned>, UpcastError> {
        let payload = serde_json::from_slice(payload).map_err(|source| UpcastError::Shape {
            event_type: event_type.to_owned(),
            version,
            source,
        })?;
        let mut pending = vec![Versioned {
            event_type: Cow::Owned(event_type.to_owned()),
            version,
            payload,
        }];
        let mut done = Vec::new();
        let mut steps = 0;
        while let Some(next) = pending.pop() {
            if self.is_current(&next.event_type, next.version) {
                done.push(next);
                continue;
            }
            steps += 1;
            if steps > MAX_FAN_OUT || done.len() + pending.len() > MAX_FAN_OUT {
                return Err(UpcastError::Endless(event_type.to_owned()));
            }
            let step = self
                .steps
                .iter()
                .find(|((t, v), _)| *t == next.event_type && *v == next.version)
                .map(|(_, step)| step)
                .ok_or_else(|| UpcastError::Unknown {
                    event_type: next.event_type.to_string(),
                    version: next.version,
                })?;
            let successors = step(next.payload)?;
            pending.extend(successors.into_iter().rev());
        }
        Ok(done)
    }

    /// A stored event as what it means today, in order: itself when its version is current, none when it was dropped. Only
    /// type, version and payload differ from what is stored.
    pub fn to_current<'a>(&self, event: &'a StoredEvent) -> Result<Vec<Cow<'a, StoredEvent>>, UpcastError> {
        let envelope = &event.envelope;
        if self.is_current(&envelope.event_type, envelope.version) {
            return Ok(vec![Cow::Borrowed(event)]);
        }
        let meanings = self.upcast(&envelope.event_type, envelope.version, &event.payload)?;
        let meant = |meaning: Versioned| {
            let mut event = event.clone();
            event.envelope.event_type = meaning.event_type.into_owned();
            event.envelope.version = meaning.version;
            event.payload = meaning.payload.to_string().into_bytes();
            Cow::Owned(event)
        };
        Ok(meanings.into_iter().map(meant).collect())
    }
}

/// Every released type at its current version.
pub fn released() -> Chain {
    let types = [
        crate::organization::v1::TYPES,
        crate::vault::v1::TYPES,
        crate::transfer::v1::TYPES,
        crate::execution::v1::TYPES,
        crate::platform::v1::TYPES,
    ];
    let current: Vec<_> = types.into_iter().flatten().map(|t| (*t, 1)).collect();
    Chain::new(&current)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn v(event_type: &'static str, version: u16, payload: Value) -> Versioned {
        Versioned {
            event_type: Cow::Borrowed(event_type),
            version,
            payload,
        }
    }

    /// v1 `{name}` → v2 `{first,last}` → v3 split in two events; `audit` of v1 is dropped.
    fn chain() -> Chain {
        Chain::new(&[("test.first", 3), ("test.last", 1)])
            .with("test.named", 1, |p| {
                let name = p["name"].as_str().unwrap_or_default().to_owned();
                let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
                Ok(vec![v("test.named", 2, json!({"first": first, "last": last}))])
            })
            .with("test.named", 2, |p| {
                Ok(vec![
                    v("test.first", 3, json!({"text": p["first"]})),
                    v("test.last", 1, json!({"text": p["last"]})),
                ])
            })
            .with("test.audit", 1, |_| Ok(vec![]))
            .with("test.loop", 1, |p| Ok(vec![v("test.loop", 1, p)]))
    }

    #[test]
    fn chain_should_rename_split_and_drop_in_order() {
        let names: Vec<_> = chain()
            .upcast("test.named", 1, br#"{"name":"Ada Lovelace"}"#)
            .expect("known")
            .into_iter()
            .map(|e| {
                (
                    e.event_type.into_owned(),
                    e.payload["text"].as_str().map(str::to_owned),
                )
            })
            .collect();
        assert_eq!(
            names,
            vec![
                ("test.first".into(), Some("Ada".into())),
                ("test.last".into(), Some("Lovelace".into()))
            ]
        );
        assert_eq!(chain().upcast("test.audit", 1, b"{}").expect("dropped"), vec![]);
    }

    #[test]
    fn chain_should_refuse_the_future_the_unknown_and_the_endless() {
        assert!(matches!(
            chain().upcast("test.first", 4, b"{}"),
            Err(UpcastError::Unknown { version: 4, .. })
        ));
        assert!(matches!(
            chain().upcast("test.nope", 1, b"{}"),
            Err(UpcastError::Unknown { .. })
        ));
        assert!(matches!(
            chain().upcast("test.loop", 1, b"{}"),
            Err(UpcastError::Endless(_))
        ));
        assert!(matches!(
            chain().upcast("test.first", 3, b"{"),
            Err(UpcastError::Shape { .. })
        ));
    }
}
