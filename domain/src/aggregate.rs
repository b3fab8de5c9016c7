//! All aggregates side by side: the one event type and the one state type that executor, projectors and replays handle.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::canonical::CanonicalError;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::payload::Encoded;
use vaultstream_event_schemas::upcast::{Chain, NotYet, UpcastError, released};
use vaultstream_event_schemas::{StreamId, StreamKind, Versions};

use crate::audit::{AuditTrail, AuditTrailEvent, AuditTrailState};
use crate::decider::{Decider, WireEvent};
use crate::execution::{Execution, ExecutionEvent, ExecutionState, Slots, SlotsEvent, SlotsState};
use crate::organization::{
    ApiKey, ApiKeyEvent, ApiKeyState, Claim, ClaimEvent, ClaimState, Organization, OrganizationEvent,
    OrganizationState, Session, SessionEvent, SessionState,
};
use crate::platform::{
    Rewind, RewindEvent, RewindState, ViewGeneration, ViewGenerationEvent, ViewGenerationState,
};
use crate::transfer::{Transfer, TransferEvent, TransferState};
use crate::vault::{Account, AccountEvent, AccountState, Vault, VaultEvent, VaultState};

static RELEASED: LazyLock<Chain> = LazyLock::new(released);

macro_rules! aggregates {
    ($($decider:ident, $event:ident, $state:ident;)+) => {
        /// Any event of any aggregate, at its current version.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event { $(#[doc = concat!("An event of ", stringify!($decider), ".")] $decider($event),)+ }

        /// The folded state of any aggregate.
        #[expect(clippy::large_enum_variant, reason = "states are held behind `Arc`, one allocation each")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub enum State { $(#[doc = concat!("A state of ", stringify!($decider), ".")] $decider($state),)+ }

        impl Event {
            /// The canonical bytes with their type and version.
            pub fn encode(&self) -> Result<Encoded, CanonicalError> {
                match self { $(Self::$decider(e) => e.encode(),)+ }
            }

            fn decode_current(event_type: &str, payload: &[u8]) -> Option<Result<Self, serde_json::Error>> {
                $(if let Some(result) = $event::decode(event_type, payload) { return Some(result.map(Self::$decider)); })+
                None
            }
        }

        impl State {
            /// The state of a stream before its first event.
            pub fn initial(kind: StreamKind) -> Self {
                match kind { $(StreamKind::$decider => Self::$decider($state::default()),)+ }
            }

            /// The version of the fold of a kind of stream.
            pub const fn fold_version(kind: StreamKind) -> u32 {
                match kind { $(StreamKind::$decider => <$decider as Decider>::FOLD_VERSION,)+ }
            }

            /// Folds an event. An event of another aggregate leaves the state as it is: streams hold one kind only.
            pub fn evolve(&mut self, event: &Event) {
                match (self, event) {
                    $((Self::$decider(s), Event::$decider(e)) => <$decider as Decider>::evolve(s, e),)+
                    _ => {}
                }
            }
        }

        $(
            impl From<$event> for Event { fn from(e: $event) -> Self { Self::$decider(e) } }
            impl OfState for $decider {
                fn of(state: &State) -> Option<&Self::State> {
                    match state { State::$decider(s) => Some(s), _ => None }
                }
            }
        )+
    };
}

/// Why an event has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// A process lives that would not read it.
    #[error(transparent)]
    NotYet(#[from] NotYet),
}

/// A decider whose state can be taken out of [`State`].
pub trait OfState: Decider {
    /// The state, when it is of this aggregate.
    fn of(state: &State) -> Option<&Self::State>;
}

aggregates! {
    Organization, OrganizationEvent, OrganizationState;
    ApiKey, ApiKeyEvent, ApiKeyState;
    Session, SessionEvent, SessionState;
    Claim, ClaimEvent, ClaimState;
    Vault, VaultEvent, VaultState;
    Account, AccountEvent, AccountState;
    Slots, SlotsEvent, SlotsState;
    Transfer, TransferEvent, TransferState;
    Execution, ExecutionEvent, ExecutionState;
    ViewGeneration, ViewGenerationEvent, ViewGenerationState;
    AuditTrail, AuditTrailEvent, AuditTrailState;
    Rewind, RewindEvent, RewindState;
}

impl Event {
    /// [`Self::encode`] at a version that every living process reads, by what may be written; without that, at the
    /// version of this build.
    pub fn encode_within(&self, allowed: Option<&Versions>) -> Result<Encoded, WriteError> {
        let encoded = self.encode()?;
        #[cfg(debug_assertions)]
        let encoded = vaultstream_event_schemas::rehearsal::newer(encoded);
        match allowed {
            Some(allowed) => Ok(RELEASED.within(encoded, allowed)?),
            None => Ok(encoded),
        }
    }

    /// The highest version of every type that this build reads.
    pub fn reads() -> Versions {
        RELEASED.reads()
    }

    /// Reads a stored event as what it means today: upcast to current versions, 1 → N.
    pub fn read(stored: &StoredEvent) -> Result<Vec<Self>, UpcastError> {
        Self::read_with(&RELEASED, stored)
    }

    /// [`Self::read`] through a given chain of upcasters.
    pub fn read_with(chain: &Chain, stored: &StoredEvent) -> Result<Vec<Self>, UpcastError> {
        let (event_type, version) = (stored.envelope.event_type.as_str(), stored.envelope.version);
        if chain.is_current(event_type, version) {
            return Self::one(event_type, version, &stored.payload).map(|e| vec![e]);
        }
        chain
            .upcast(event_type, version, &stored.payload)?
            .into_iter()
            .map(|v| Self::one(&v.event_type, v.version, v.payload.to_string().as_bytes()))
            .collect()
    }

    fn one(event_type: &str, version: u16, payload: &[u8]) -> Result<Self, UpcastError> {
        match Self::decode_current(event_type, payload) {
            Some(Ok(event)) => Ok(event),
            Some(Err(source)) => Err(UpcastError::Shape {
                event_type: event_type.to_owned(),
                version,
                source,
            }),
            None => Err(UpcastError::Unknown {
                event_type: event_type.to_owned(),
                version,
            }),
        }
    }
}

/// Folds stored events of one stream from its beginning, or from a given state.
pub fn fold(mut state: State, events: &[StoredEvent]) -> Result<State, UpcastError> {
    for stored in events {
        for event in Event::read(stored)? {
            state.evolve(&event);
        }
    }
    Ok(state)
}

/// The state before the first event of a stream.
pub fn initial(stream: StreamId) -> State {
    State::initial(stream.kind)
}
