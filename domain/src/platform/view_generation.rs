//! The ViewGeneration aggregate: which generation of a view is read, and which is being built beside it.

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
        /// A new one is being built.
        Started(v1::GenerationStarted),
        /// It is read from now on.
        Switched(v1::GenerationSwitched),
        /// It was given up.
        Abandoned(v1::GenerationAbandoned),
    }
}

/// What can be asked of the generations of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewGenerationCommand {
    /// Build the next one.
    Start {
        /// Why.
        reason: String,
        /// The view.
        view: String,
    },
    /// Read the one that was built.
    Switch(v1::GenerationSwitched),
    /// Give up the one being built.
    Abandon {
        /// Why.
        reason: String,
    },
}

/// The generations of a view, folded. Generation 1 is read from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewGenerationState {
    /// The generation that is read.
    pub active: u32,
    /// The generation being built, with the view's name.
    pub building: Option<(u32, String)>,
    /// The highest number ever given.
    pub highest: u32,
}

impl Default for ViewGenerationState {
    fn default() -> Self {
        Self {
            active: 1,
            building: None,
            highest: 1,
        }
    }
}

/// Why the generations of a view refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewGenerationError {
    /// One is being built already.
    #[error("generation {0} is being built already")]
    Building(u32),
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

    fn decide(
        state: &ViewGenerationState,
        command: &ViewGenerationCommand,
    ) -> Result<Vec<ViewGenerationEvent>, ViewGenerationError> {
        match (command, &state.building) {
            (ViewGenerationCommand::Start { .. }, Some((building, _))) => {
                Err(ViewGenerationError::Building(*building))
            }
            (ViewGenerationCommand::Start { reason, view }, None) => Ok(vec![
                v1::GenerationStarted {
                    generation: state.highest + 1,
                    reason: reason.clone(),
                    view: view.clone(),
                }
                .into(),
            ]),
            (ViewGenerationCommand::Switch(s), _) if s.generation == state.active => Ok(vec![]),
            (ViewGenerationCommand::Switch(s), Some((building, _))) if s.generation == *building => {
                Ok(vec![s.clone().into()])
            }
            (ViewGenerationCommand::Switch(s), _) => Err(ViewGenerationError::NotBuilding(s.generation)),
            (ViewGenerationCommand::Abandon { reason }, Some((generation, view))) => Ok(vec![
                v1::GenerationAbandoned {
                    generation: *generation,
                    reason: reason.clone(),
                    view: view.clone(),
                }
                .into(),
            ]),
            (ViewGenerationCommand::Abandon { .. }, None) => Ok(vec![]),
        }
    }

    fn evolve(state: &mut ViewGenerationState, event: &ViewGenerationEvent) {
        match event {
            ViewGenerationEvent::Started(e) => {
                state.building = Some((e.generation, e.view.clone()));
                state.highest = e.generation;
            }
            ViewGenerationEvent::Switched(e) => {
                state.active = e.generation;
                state.building = None;
            }
            ViewGenerationEvent::Abandoned(_) => state.building = None,
        }
    }
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
mod tests {
    use super::*;
    use crate::given::given;

    #[test]
    fn generations_should_be_built_one_at_a_time_and_never_reuse_a_number() {
        let start = ViewGenerationCommand::Start {
            reason: "new fold".into(),
            view: "transfers".into(),
        };
        let started: ViewGenerationEvent = v1::GenerationStarted {
            generation: 2,
            reason: "new fold".into(),
            view: "transfers".into(),
        }
        .into();
        given::<ViewGeneration>(&[])
            .when(&start)
            .then(std::slice::from_ref(&started));
        given::<ViewGeneration>(std::slice::from_ref(&started))
            .when(&start)
            .refuses(&ViewGenerationError::Building(2));
        let abandoned: ViewGenerationEvent = v1::GenerationAbandoned {
            generation: 2,
            reason: "digest".into(),
            view: "transfers".into(),
        }
        .into();
        let history = [started, abandoned];
        let given = given::<ViewGeneration>(&history);
        assert_eq!((given.state().active, given.state().highest), (1, 2));
        given.when(&start).then(&[v1::GenerationStarted {
            generation: 3,
            reason: "new fold".into(),
            view: "transfers".into(),
        }
        .into()]);
    }
}
