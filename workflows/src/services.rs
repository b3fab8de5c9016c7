//! What workflows run on: ports, and the executor behind a trait so that a harness can fail, repeat and stop it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::aggregate::OfState;
use vaultstream_domain::ports::{AccountKeys, ChainNode, Clock, EventLog, Ids, Progress, Signing};
use vaultstream_domain::{CommandContext, DomainError, Transact};
use vaultstream_event_schemas::chain::ChainSettings;
use vaultstream_event_schemas::{Actor, ChainId, CommandId, EventRef, StreamId};
use vaultstream_kernel::{ExecuteError, Executor, LoadError, Tailer, load_state};

use crate::barrier::Barrier;

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The domain refused it.
    #[error(transparent)]
    Refused(#[from] DomainError),
    /// The executor or the log could not take it, or gave no answer; try again.
    #[error("the command was not taken, or was and nobody heard of it")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs use cases.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Runs one; it is durable when this returns.
    async fn execute(&self, context: CommandContext, use_case: Arc<dyn Transact>)
    -> Result<(), CommandError>;
}

#[async_trait]
impl Commands for Executor {
    async fn execute(
        &self,
        context: CommandContext,
        use_case: Arc<dyn Transact>,
    ) -> Result<(), CommandError> {
        match Self::execute(self, context, use_case).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(e)) => Err(CommandError::Refused(e)),
            Err(e) => Err(CommandError::Unavailable(Box::new(e))),
        }
    }
}

/// Told whenever a saga has passed a durable boundary. Tests stop the process here; production does nothing.
pub trait Boundary: Send + Sync {
    /// The boundary `name` was passed.
    fn passed(&self, name: &'static str);
}

/// Does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBoundary;

impl Boundary for NoBoundary {
    fn passed(&self, _: &'static str) {}
}

/// A chain with its node.
#[derive(Clone)]
pub struct Chain {
    /// Its settings.
    pub settings: ChainSettings,
    /// Its node.
    pub node: Arc<dyn ChainNode>,
}

/// What workflows run on.
#[derive(Clone)]
pub struct Services {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// Follows its shards.
    pub tailer: Tailer,
    /// Runs use cases.
    pub commands: Arc<dyn Commands>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identities of commands.
    pub ids: Arc<dyn Ids>,
    /// Cursors and chain heads.
    pub progress: Arc<dyn Progress>,
    /// Makes account keys.
    pub account_keys: Arc<dyn AccountKeys>,
    /// Signs intents.
    pub signing: Arc<dyn Signing>,
    /// Stands before that, and before nodes.
    pub barrier: Arc<dyn Barrier>,
    /// The chains served here.
    pub chains: Arc<BTreeMap<ChainId, Chain>>,
    /// Told of every boundary passed.
    pub boundary: Arc<dyn Boundary>,
}

impl Services {
    /// The context of a command that a workflow issues because of an event.
    pub fn context(
        &self,
        workflow: &'static str,
        causation: Option<EventRef>,
        trace: Option<String>,
    ) -> CommandContext {
        CommandContext {
            actor: Actor::system(workflow),
            command: CommandId::from_uuid(self.ids.next()),
            causation,
            trace,
        }
    }

    /// The state of a stream as the log has it now.
    pub async fn load<D: OfState>(&self, stream: impl Into<StreamId> + Send) -> Result<D::State, LoadError>
    where
        D::State: Clone,
    {
        let loaded = load_state(self.log.as_ref(), stream.into()).await?;
        Ok(D::of(&loaded.state).cloned().unwrap_or_default())
    }
}
