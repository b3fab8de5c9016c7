//! The ViewGeneration aggregate: which generation of a view is read, which is being built beside it, and whether an
//! operator has asked for another one.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::platform::v1;
use vaultstream_event_schemas::{
    ErrorCode, Family, OrganizationId, Registry, ShardNumber, StreamId, Timestamp, ViewGenerationId, id,
};

use crate::decider::Decider;
use crate::error::{Coded, DomainError};
use crate::transact::{Change, States, Transact};

/// The ViewGeneration aggregate.
pub struct ViewGeneration;

crate::wire_events! {
    /// What can happen to the generations of a view.
    ViewGenerationEvent {
        /// A new one was asked for.
        Requested(v1::RebuildRequested),
        /// A new one is being built.
        Started(v1::GenerationStarted),
        /// It is read from now on.
        Switched(v1::GenerationSwitched),
        /// It was given up.
        Abandoned(v1::GenerationAbandoned),
        /// What is parked is to be tried again.
        RetryRequested(v1::RetryRequested),
        /// It was tried again.
        Retried(v1::ParkedRetried),
    }
}

/// What can be asked of the generations of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewGenerationCommand {
    /// Ask whoever keeps the view for the next one. Asked again before it has begun, it is the same request.
    Request(v1::RebuildRequested),
    /// Build the next one. One that is being built was left behind by a process that has ended, and is given up.
    Start {
        /// Why.
        reason: String,
        /// The view.
        view: String,
    },
    /// Read the one that was built.
    Switch(v1::GenerationSwitched),
    /// Ask whoever keeps the view to fold what is parked, in order. Asked again before it is done, it is the same request.
    Retry(v1::RetryRequested),
    /// Say what became of the retry that was asked for; nothing when none was.
    EndRetry(v1::ParkedRetried),
    /// Give up a generation; nothing when it is not the one being built.
    Abandon {
        /// Which.
        generation: u32,
        /// Why.
        reason: String,
    },
}

/// The generations of a view, folded. Generation 1 is read from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewGenerationState {
    /// The generation that is read.
    pub active: u32,
    /// The generation being built.
    pub building: Option<Building>,
    /// The highest number ever given.
    pub highest: u32,
    /// Why a rebuild was asked for that nobody has begun yet.
    pub requested: Option<String>,
    /// The newest generation that was given up, and why, until another is asked for or begun.
    pub given_up: Option<(u32, String)>,
    /// Why a retry of what is parked was asked for that is not done yet.
    pub retry: Option<String>,
    /// What the last retry left: streams that are folded again, and streams that are still parked.
    pub retried: Option<(u64, u64)>,
}

/// A generation being built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Building {
    /// Its number.
    pub generation: u32,
    /// Why it is built.
    pub reason: String,
    /// The view.
    pub view: String,
}

impl Default for ViewGenerationState {
    fn default() -> Self {
        Self {
            active: 1,
            building: None,
            highest: 1,
            requested: None,
            given_up: None,
            retry: None,
            retried: None,
        }
    }
}

/// Why the generations of a view refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewGenerationError {
    /// One is being built already.
    #[error(
        "generation {generation} of view {view} in family {family} is being built already; wait until it is read or \
         given up"
    )]
    Building {
        /// The generation.
        generation: u32,
        /// The view.
        view: String,
        /// The family.
        family: String,
    },
    /// The generation is not the one being built.
    #[error("generation {0} is not being built")]
    NotBuilding(u32),
}

impl Coded for ViewGenerationError {
    fn code(&self) -> ErrorCode {
        ErrorCode::StateConflict
    }
}

impl Decider for ViewGeneration {
    type State = ViewGenerationState;
    type Command = ViewGenerationCommand;
    type Event = ViewGenerationEvent;
    type Error = ViewGenerationError;

    const FOLD_VERSION: u32 = 3;

    fn decide(
        state: &ViewGenerationState,
        command: &ViewGenerationCommand,
    ) -> Result<Vec<ViewGenerationEvent>, ViewGenerationError> {
        match (command, &state.building) {
            (ViewGenerationCommand::Request(asked), Some(building)) => Err(ViewGenerationError::Building {
                generation: building.generation,
                view: asked.view.clone(),
                family: asked.family.clone(),
            }),
            (ViewGenerationCommand::Request(_), None) if state.requested.is_some() => Ok(vec![]),
            (ViewGenerationCommand::Request(asked), None) => Ok(vec![asked.clone().into()]),
            (ViewGenerationCommand::Retry(_), _) if state.retry.is_some() => Ok(vec![]),
            (ViewGenerationCommand::Retry(asked), _) => Ok(vec![asked.clone().into()]),
            (ViewGenerationCommand::EndRetry(done), _) if state.retry.is_some() => {
                Ok(vec![done.clone().into()])
            }
            (ViewGenerationCommand::EndRetry(_), _) => Ok(vec![]),
            (ViewGenerationCommand::Start { reason, view }, left_behind) => {
                let started = v1::GenerationStarted {
                    generation: state.highest + 1,
                    reason: reason.clone(),
                    view: view.clone(),
                };
                let mut events: Vec<ViewGenerationEvent> = left_behind
                    .iter()
                    .map(|building| abandoned(building, "left behind by an earlier process"))
                    .collect();
                events.push(started.into());
                Ok(events)
            }
            (ViewGenerationCommand::Switch(s), _) if s.generation == state.active => Ok(vec![]),
            (ViewGenerationCommand::Switch(s), Some(building)) if s.generation == building.generation => {
                Ok(vec![s.clone().into()])
            }
            (ViewGenerationCommand::Switch(s), _) => Err(ViewGenerationError::NotBuilding(s.generation)),
            (ViewGenerationCommand::Abandon { generation, reason }, Some(building))
                if *generation == building.generation =>
            {
                Ok(vec![abandoned(building, reason)])
            }
            (ViewGenerationCommand::Abandon { .. }, _) => Ok(vec![]),
        }
    }

    fn evolve(state: &mut ViewGenerationState, event: &ViewGenerationEvent) {
        match event {
            ViewGenerationEvent::Requested(e) => {
                state.requested = Some(e.reason.clone());
                state.given_up = None;
            }
            ViewGenerationEvent::Started(e) => {
                state.building = Some(Building {
                    generation: e.generation,
                    reason: e.reason.clone(),
                    view: e.view.clone(),
                });
                state.highest = e.generation;
                state.requested = None;
                state.given_up = None;
            }
            ViewGenerationEvent::Switched(e) => {
                state.active = e.generation;
                state.building = None;
            }
            ViewGenerationEvent::RetryRequested(e) => state.retry = Some(e.reason.clone()),
            ViewGenerationEvent::Retried(e) => {
                state.retry = None;
                state.retried = Some((e.healed, e.parked));
            }
            ViewGenerationEvent::Abandoned(e) => {
                state.building = None;
                state.given_up = Some((e.generation, e.reason.clone()));
            }
        }
    }
}

fn abandoned(building: &Building, reason: &str) -> ViewGenerationEvent {
    v1::GenerationAbandoned {
        generation: building.generation,
        reason: reason.to_owned(),
        view: building.view.clone(),
    }
    .into()
}

/// The reserved organization that owns platform aggregates; derived, so every installation has the same one.
pub fn platform_organization(registry: &Registry) -> OrganizationId {
    let bare = id::derived("organization", &[b"platform"]);
    let shard = registry.place(&Family::Core, bare).unwrap_or(ShardNumber(0));
    OrganizationId::from_uuid(id::with_shard(bare, shard))
}

/// The stream of a view's generations, with the family whose store holds the view.
pub fn view_generation_id(registry: &Registry, family: &Family, view: &str) -> ViewGenerationId {
    let bare = id::derived(
        "view_generation",
        &[family.to_string().as_bytes(), view.as_bytes()],
    );
    ViewGenerationId::from_uuid(id::with_shard(bare, platform_organization(registry).shard()))
}

/// Changes the generations of a view.
#[derive(Debug, Clone)]
pub struct ChangeViewGeneration {
    /// The view's stream.
    pub id: ViewGenerationId,
    /// The platform's organization.
    pub organization: OrganizationId,
    /// What to change.
    pub command: ViewGenerationCommand,
}

impl Transact for ChangeViewGeneration {
    fn name(&self) -> &'static str {
        "platform.change_view_generation"
    }
    fn shard(&self) -> ShardNumber {
        self.id.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.id.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let events = ViewGeneration::decide(states.get::<ViewGeneration>(self.id), &self.command)?;
        Ok(vec![Change::of(
            self.id,
            self.organization,
            Owner::Itself,
            events,
        )])
    }
}

#[cfg(test)]
mod tests;
