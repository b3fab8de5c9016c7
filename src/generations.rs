//! Writes down what becomes of view generations, through the ViewGeneration aggregate.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::platform::{
    ChangeViewGeneration, ViewGenerationCommand, platform_organization, view_generation_id,
};
use vaultstream_domain::ports::{EventLog, Ids};
use vaultstream_domain::{CommandContext, State};
use vaultstream_event_schemas::platform::v1::GenerationSwitched;
use vaultstream_event_schemas::{Actor, CommandId, Family};
use vaultstream_kernel::{Committed, Executor, load_state};
use vaultstream_projectors::ViewName;
use vaultstream_projectors::projector::{Source, SwitchGenerations};

/// Runs the use cases of the ViewGeneration aggregate.
pub struct RecordGenerations {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// Runs use cases.
    pub executor: Executor,
    /// Identities of commands.
    pub ids: Arc<dyn Ids>,
}

impl RecordGenerations {
    async fn change(
        &self,
        family: &Family,
        view: ViewName,
        command: ViewGenerationCommand,
    ) -> Result<Committed, Source> {
        let registry = self.log.registry();
        let context = CommandContext {
            actor: Actor::system("rebuild_views"),
            command: CommandId::from_uuid(self.ids.next()),
            causation: None,
            trace: None,
        };
        let use_case = ChangeViewGeneration {
            id: view_generation_id(&registry, family, view.as_str()),
            organization: platform_organization(&registry),
            command,
        };
        Ok(self.executor.execute(context, Arc::new(use_case)).await?)
    }
}

#[async_trait]
impl SwitchGenerations for RecordGenerations {
    async fn start(&self, family: &Family, view: ViewName, reason: &str) -> Result<u32, Source> {
        let command = ViewGenerationCommand::Start {
            reason: reason.to_owned(),
            view: view.as_str().to_owned(),
        };
        self.change(family, view, command).await?;
        let stream = view_generation_id(&self.log.registry(), family, view.as_str());
        let loaded = load_state(self.log.as_ref(), stream.into()).await?;
        match loaded.state {
            State::ViewGeneration(state) => state
                .building
                .map(|(n, _)| n)
                .ok_or_else(|| "no generation is being built".into()),
            _ => Err("the stream is no view generation".into()),
        }
    }

    async fn switch(
        &self,
        family: &Family,
        view: ViewName,
        generation: u32,
        digest: &str,
    ) -> Result<(), Source> {
        let switched = GenerationSwitched {
            digest: digest.to_owned(),
            generation,
            view: view.as_str().to_owned(),
        };
        self.change(family, view, ViewGenerationCommand::Switch(switched))
            .await
            .map(drop)
    }

    async fn abandon(&self, family: &Family, view: ViewName, reason: &str) -> Result<(), Source> {
        self.change(
            family,
            view,
            ViewGenerationCommand::Abandon {
                reason: reason.to_owned(),
            },
        )
        .await
        .map(drop)
    }
}
