//! A use case as the executor runs it: which streams it rests on, and what it changes, decided in memory.
//!
//! Every stream a use case reads is a precondition of its append, so a decision never rests on a state that has
//! changed meanwhile; the executor then loads and decides again. All streams of one use case live in one shard.

use std::collections::HashMap;
use std::sync::Arc;

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::{
    Actor, CommandId, EventRef, OrganizationId, ShardNumber, StreamId, Timestamp,
};

use crate::aggregate::{Event, OfState, State};
use crate::error::DomainError;

/// The most streams one use case may touch.
pub const MAX_STREAMS: usize = 64;
/// The most events one use case may produce.
pub const MAX_EVENTS: usize = 256;

/// Who asks, and in which connection; becomes part of every envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandContext {
    /// Who asks.
    pub actor: Actor,
    /// The command's id.
    pub command: CommandId,
    /// The event that led to it.
    pub causation: Option<EventRef>,
    /// W3C `traceparent` of the request.
    pub trace: Option<String>,
}

/// The states a use case asked for.
#[derive(Debug, Clone, Default)]
pub struct States(HashMap<StreamId, (Arc<State>, u64)>);

impl States {
    /// Adds a stream's state and version.
    pub fn insert(&mut self, stream: StreamId, state: Arc<State>, version: u64) {
        self.0.insert(stream, (state, version));
    }

    /// The state of a stream the use case reads.
    ///
    /// # Panics
    /// When the use case did not name the stream in `reads` or `creates`, or names it with another kind: a mistake in
    /// the use case that its first test shows.
    pub fn get<D: OfState>(&self, stream: impl Into<StreamId>) -> &D::State {
        let stream = stream.into();
        let (state, _) = self
            .0
            .get(&stream)
            .expect("a use case names every stream it looks at");
        D::of(state).expect("a stream holds the kind of aggregate its id names")
    }

    /// Decides a command on one stream the use case looks at; what happened goes to that stream.
    pub fn decide<D>(
        &self,
        stream: impl Into<StreamId>,
        command: &D::Command,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Change, DomainError>
    where
        D: OfState,
        D::Event: Into<Event>,
        DomainError: From<D::Error>,
    {
        let stream = stream.into();
        let events = D::decide(self.get::<D>(stream), command)?;
        Ok(Change::of(stream, organization, owner, events))
    }

    /// The version of a stream the use case reads; 0 when it does not exist.
    pub fn version(&self, stream: impl Into<StreamId>) -> u64 {
        self.0.get(&stream.into()).map_or(0, |(_, v)| *v)
    }
}

/// What a use case appends to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The stream.
    pub stream: StreamId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose it is.
    pub owner: Owner,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Change {
    /// A change of one aggregate's stream; `None` when nothing happened.
    pub fn of<E: Into<Event>>(
        stream: impl Into<StreamId>,
        organization: OrganizationId,
        owner: Owner,
        events: Vec<E>,
    ) -> Self {
        let events = events.into_iter().map(Into::into).collect();
        Self {
            stream: stream.into(),
            organization,
            owner,
            events,
        }
    }
}

/// A use case. It may be decided several times: on every conflict with another node.
pub trait Transact: Send + Sync {
    /// Its name in traces and metrics, `context.use_case`.
    fn name(&self) -> &'static str;

    /// The shard of all its streams.
    fn shard(&self) -> ShardNumber;

    /// Streams whose state it looks at.
    fn reads(&self) -> Vec<StreamId>;

    /// Streams it creates: their state is the initial one and they must not exist.
    fn creates(&self) -> Vec<StreamId> {
        Vec::new()
    }

    /// What changes; an empty list when the use case has already had its effect. `now` is the process's clock.
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError>;
}
