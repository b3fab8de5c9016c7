//! The heart of every aggregate: decide on a command, evolve with an event.

use vaultstream_event_schemas::canonical::CanonicalError;
use vaultstream_event_schemas::payload::Encoded;

/// An aggregate as two pure functions.
///
/// `decide` answers the events a command leads to in a state, or why it is refused; no events means that the command
/// has already had its effect. `evolve` folds one event and never fails: what was once accepted stays foldable.
pub trait Decider {
    /// The folded state; its default is the aggregate before its first event.
    type State: Default;
    /// What can be asked of it.
    type Command;
    /// What can happen to it.
    type Event;
    /// Why it refuses.
    type Error: std::error::Error;

    /// Changes to the shape or meaning of the state make snapshots of older folds invalid.
    const FOLD_VERSION: u32 = 1;

    /// What the command leads to.
    fn decide(state: &Self::State, command: &Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// The state after the event.
    fn evolve(state: &mut Self::State, event: &Self::Event);
}

/// An aggregate's events as they stand on the wire.
pub trait WireEvent: Sized {
    /// The canonical bytes with their type and version.
    fn encode(&self) -> Result<Encoded, CanonicalError>;
    /// Reads a payload of a current version; `None` for a type that is not this aggregate's.
    fn decode(event_type: &str, payload: &[u8]) -> Option<Result<Self, serde_json::Error>>;
}

/// Declares an aggregate's event enum over payload structs of `event-schemas`.
#[macro_export]
macro_rules! wire_events {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident($payload:ty),)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant($payload),)+ }

        impl $crate::decider::WireEvent for $name {
            fn encode(&self) -> Result<vaultstream_event_schemas::payload::Encoded, vaultstream_event_schemas::canonical::CanonicalError> {
                match self { $(Self::$variant(p) => vaultstream_event_schemas::payload::encode(p),)+ }
            }
            fn decode(event_type: &str, payload: &[u8]) -> Option<Result<Self, serde_json::Error>> {
                match event_type {
                    $(<$payload as vaultstream_event_schemas::Payload>::TYPE => Some(serde_json::from_slice(payload).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        $(impl From<$payload> for $name { fn from(p: $payload) -> Self { Self::$variant(p) } })+
    };
}
