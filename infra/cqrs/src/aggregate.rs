//! Any of our deciders as a `cqrs_es::Aggregate`.

use std::sync::LazyLock;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vaultstream_domain::audit::AuditTrail;
use vaultstream_domain::decider::{Decider, WireEvent};
use vaultstream_domain::execution::{Execution, Slots};
use vaultstream_domain::organization::{ApiKey, Claim, Organization, Session};
use vaultstream_domain::platform::{Rewind, ViewGeneration};
use vaultstream_domain::transfer::Transfer;
use vaultstream_domain::vault::{Account, Vault};
use vaultstream_event_schemas::StreamKind;
use vaultstream_event_schemas::canonical::CanonicalError;
use vaultstream_event_schemas::upcast::{Chain, released};

static RELEASED: LazyLock<Chain> = LazyLock::new(released);

/// A decider that stock cqrs-es can run: its events have a wire form, its state a JSON form.
pub trait Stock: Decider + 'static
where
    Self::Event: WireEvent,
    Self::State: Serialize + DeserializeOwned + Send + Sync,
    Self::Command: Send,
    Self::Error: Send,
{
    /// The kind of its streams.
    const KIND: StreamKind;
}

macro_rules! stock {
    ($($decider:ident),+) => { $(impl Stock for $decider { const KIND: StreamKind = StreamKind::$decider; })+ };
}
stock!(
    Organization,
    ApiKey,
    Session,
    Claim,
    Vault,
    Account,
    Slots,
    Transfer,
    Execution,
    ViewGeneration,
    AuditTrail,
    Rewind
);

/// An event as it is stored: type, version, and the payload of that version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockEvent {
    /// The payload, as written.
    pub data: Value,
    /// The type on the wire.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The version of the payload.
    pub version: u16,
}

impl StockEvent {
    /// The stored form of an event of a decider.
    pub fn of(event: &impl WireEvent) -> Result<Self, CanonicalError> {
        let encoded = event.encode()?;
        let data = serde_json::from_slice(&encoded.payload).map_err(CanonicalError::Serialize)?;
        Ok(Self {
            data,
            event_type: encoded.event_type.to_owned(),
            version: encoded.version,
        })
    }
}

impl DomainEvent for StockEvent {
    fn event_type(&self) -> String {
        self.event_type.clone()
    }
    fn event_version(&self) -> String {
        self.version.to_string()
    }
}

/// Why a wrapped decider does not decide.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockError<E: std::error::Error + 'static> {
    /// The decider refuses.
    #[error(transparent)]
    Refused(E),
    /// An event has no canonical form.
    #[error("an event cannot be written: {0}")]
    Unwritable(String),
    /// The history holds an event this build cannot read.
    #[error("the history cannot be read: {0}")]
    Unreadable(String),
}

/// A decider's state as an aggregate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "D::State: Serialize", deserialize = "D::State: DeserializeOwned"))]
pub struct Wrapped<D: Decider> {
    state: D::State,
    /// `apply` cannot fail, so what it could not read is kept here and refuses every decision.
    unreadable: Option<String>,
}

impl<D: Decider> Default for Wrapped<D> {
    fn default() -> Self {
        Self {
            state: D::State::default(),
            unreadable: None,
        }
    }
}

impl<D: Decider> Wrapped<D> {
    /// The folded state.
    pub const fn state(&self) -> &D::State {
        &self.state
    }

    /// The first event of the history that could not be read.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }
}

impl<D: Decider> Wrapped<D>
where
    D::Event: WireEvent,
{
    /// Folds a stored event through a chain of upcasters.
    pub fn fold(&mut self, chain: &Chain, event: &StockEvent) {
        if self.unreadable.is_some() {
            return;
        }
        if let Err(why) = self.try_fold(chain, event) {
            self.unreadable = Some(format!("{} version {}: {why}", event.event_type, event.version));
        }
    }

    fn try_fold(&mut self, chain: &Chain, event: &StockEvent) -> Result<(), String> {
        let payload = serde_json::to_vec(&event.data).map_err(|e| e.to_string())?;
        let meanings = chain
            .upcast(&event.event_type, event.version, &payload)
            .map_err(|e| e.to_string())?;
        for meaning in meanings {
            let payload = meaning.payload.to_string();
            let decoded = D::Event::decode(&meaning.event_type, payload.as_bytes())
                .ok_or_else(|| format!("{} is of another aggregate", meaning.event_type))?;
            D::evolve(&mut self.state, &decoded.map_err(|e| e.to_string())?);
        }
        Ok(())
    }
}

impl<D: Stock> Aggregate for Wrapped<D>
where
    D::Event: WireEvent + Send,
    D::State: Serialize + DeserializeOwned + Send + Sync,
    D::Command: Send,
    D::Error: Send,
{
    const TYPE: &'static str = D::KIND.word();
    type Command = D::Command;
    type Event = StockEvent;
    type Error = StockError<D::Error>;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        _: &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        if let Some(why) = &self.unreadable {
            return Err(StockError::Unreadable(why.clone()));
        }
        let decided = D::decide(&self.state, &command).map_err(StockError::Refused)?;
        let stored: Result<Vec<_>, _> = decided.iter().map(StockEvent::of).collect();
        drop(decided);
        for event in stored.map_err(|e| StockError::Unwritable(e.to_string()))? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.fold(&RELEASED, &event);
    }
}
