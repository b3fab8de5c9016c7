//! Generations in the log: which are read, and how a rebuild writes down what becomes of one.
//!
//! One rebuild of a view in a family runs at a time; a build that a dead process left behind is given up when the next
//! one starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::CommandContext;
use vaultstream_domain::aggregate::{OfState, State};
use vaultstream_domain::platform::{
    ChangeViewGeneration, ViewGeneration, ViewGenerationCommand, ViewGenerationState, platform_organization,
    view_generation_id,
};
use vaultstream_domain::ports::{EventLog, Ids};
use vaultstream_event_schemas::platform::v1::{GenerationSwitched, ParkedRetried};
use vaultstream_event_schemas::{Actor, CommandId, Family, Registry};
use vaultstream_kernel::{Executor, LoadError, load_state};

use crate::lane::Retried;
use crate::projector::{Source, SwitchGenerations};
use crate::view_name::ViewName;

/// What the log says of the generations of every view in every family it has a store in.
pub async fn generation_states(
    log: &dyn EventLog,
    registry: &Registry,
) -> Result<BTreeMap<(ViewName, Family), ViewGenerationState>, LoadError> {
    let mut states = BTreeMap::new();
    for name in ViewName::ALL {
        for family in name.families(registry) {
            let state = generation_state(log, registry, name, &family).await?;
            states.insert((name, family), state);
        }
    }
    Ok(states)
}

/// What the log says of the generations of a view in a family.
pub(crate) async fn generation_state(
    log: &dyn EventLog,
    registry: &Registry,
    name: ViewName,
    family: &Family,
) -> Result<ViewGenerationState, LoadError> {
    let stream = view_generation_id(registry, family, name.as_str()).stream();
    let state: State = load_state(log, stream).await?.state;
    Ok(ViewGeneration::of(&state).cloned().unwrap_or_default())
}

/// The generations the log says are read, for [`crate::Generations::new`].
pub async fn switched(
    log: &dyn EventLog,
    registry: &Registry,
) -> Result<BTreeMap<(ViewName, Family), u32>, LoadError> {
    let states = generation_states(log, registry).await?;
    Ok(states.into_iter().map(|(at, state)| (at, state.active)).collect())
}

/// Writes down switches through the executor, as the platform's organization.
#[derive(Clone)]
pub struct ExecutorSwitch {
    executor: Executor,
    ids: Arc<dyn Ids>,
    registry: Arc<Registry>,
}

impl ExecutorSwitch {
    /// Commands get their ids from `ids`.
    pub fn new(executor: Executor, ids: Arc<dyn Ids>, registry: Arc<Registry>) -> Self {
        Self {
            executor,
            ids,
            registry,
        }
    }

    async fn change(
        &self,
        family: &Family,
        view: ViewName,
        command: ViewGenerationCommand,
    ) -> Result<ViewGenerationState, Source> {
        let id = view_generation_id(&self.registry, family, view.as_str());
        let organization = platform_organization(&self.registry);
        let context = CommandContext {
            actor: Actor::system("projectors"),
            command: CommandId::from_uuid(self.ids.next()),
            causation: None,
            trace: None,
        };
        let use_case = ChangeViewGeneration {
            id,
            organization,
            command,
        };
        let committed = self.executor.execute(context, Arc::new(use_case)).await?;
        Ok(committed.states.get::<ViewGeneration>(id).clone())
    }
}

#[async_trait]
impl SwitchGenerations for ExecutorSwitch {
    async fn start(&self, family: &Family, view: ViewName, reason: &str) -> Result<u32, Source> {
        let start = ViewGenerationCommand::Start {
            reason: reason.to_owned(),
            view: view.as_str().to_owned(),
        };
        let state = self.change(family, view, start).await?;
        let building = state
            .building
            .ok_or("the generation was given up by someone else")?;
        Ok(building.generation)
    }

    async fn switch(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        digest: &str,
    ) -> Result<(), Source> {
        let view_word = view.as_str().to_owned();
        let switched = GenerationSwitched {
            digest: digest.to_owned(),
            generation,
            view: view_word,
        };
        self.change(family, view, ViewGenerationCommand::Switch(switched))
            .await
            .map(drop)
    }

    async fn retried(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        retried: Retried,
    ) -> Result<(), Source> {
        let done = ParkedRetried {
            generation,
            healed: retried.healed,
            parked: retried.parked,
            view: view.as_str().to_owned(),
        };
        self.change(family, view, ViewGenerationCommand::EndRetry(done))
            .await
            .map(drop)
    }

    async fn abandon(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        reason: &str,
    ) -> Result<(), Source> {
        let abandon = ViewGenerationCommand::Abandon {
            generation,
            reason: reason.to_owned(),
        };
        self.change(family, view, abandon).await.map(drop)
    }
}
