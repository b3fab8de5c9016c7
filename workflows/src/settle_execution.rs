//! The saga that carries an execution to its end: reserve → plan → bind → sign → append → broadcast → follow → final.
//!
//! | step | durable when done | a crash before it | a crash after it |
//! | --- | --- | --- | --- |
//! | reserve | funds committed, plan kept | quotes and reserves again | binds |
//! | bind | slot value and digest fixed on both streams | binds again, perhaps another value | marks and asks for the signature again: same digest |
//! | sign | raw bytes in the log | signs the same digest again | broadcasts |
//! | broadcast | the node's answer | sends the same bytes again | follows |
//! | follow | sightings, blocks, detachments | reads the chain again | reads the chain again |
//! | finalize | execution, slot and transfers concluded together | concludes again | nothing |
//!
//! Nothing is undone after *bind*: from there only the chain's own proof frees the slot. Before it, `abandon` frees
//! everything with "never signed". Every step begins by loading the execution from the log, so a step that ran twice,
//! here or on another node, finds the work done. A signature is asked for only behind the [`Barrier`](crate::Barrier): a
//! mark outside of the log has the bind. An execution that a lost history had bound gets the same transaction again.

mod follow;
mod outbound;
#[cfg(feature = "planted")]
mod planted;

use std::sync::Arc;

use vaultstream_domain::execution::{
    Execution, ExecutionCommand, ExecutionScope, ExecutionState, RecordExecution,
};
use vaultstream_domain::ports::keys::KeyError;
use vaultstream_domain::{DomainError, Transact};
use vaultstream_event_schemas::execution::v1;
use vaultstream_event_schemas::{ErrorCode, ExecutionStatus, TransferId};
use vaultstream_kernel::LoadError;
use vaultstream_kernel::mark::MarkError;

use crate::services::{Chain, CommandError, Services};

pub use follow::Followed;

/// Why a step is not done; it is tried again at the next head or tick.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// A command was not taken, or refused.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A stream could not be loaded.
    #[error("a stream cannot be loaded")]
    Load(#[from] LoadError),
    /// The chain's node gave no reading.
    #[error(transparent)]
    Node(#[from] vaultstream_domain::ports::chain_node::NodeError),
    /// The keystore gave no signature.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The bind is not marked, so no signature was asked for.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// Nothing is bound, signed or sent while the log is behind its mark.
    #[error("nothing is bound, signed or sent until the log is known to hold its mark")]
    Barred,
    /// The chain's rules refuse the plan or the bytes: a person should look.
    #[error("{0}")]
    Rules(String),
}

/// An execution on its way.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which, and whose.
    pub scope: ExecutionScope,
    /// The transfers it carries.
    pub transfers: Vec<TransferId>,
    /// W3C `traceparent` of the request that began it.
    pub trace: Option<String>,
}

/// What to do next, from the folded state alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Commit funds and draw up the transaction.
    Reserve,
    /// Fix slot value and digest.
    Bind,
    /// Get the signature and keep the bytes.
    Sign,
    /// Hand the bytes to the node.
    Broadcast,
    /// Watch the chain.
    Follow,
    /// Nothing.
    Done,
}

/// What to do next, from the folded state alone.
pub const fn next_step(state: &ExecutionState) -> Step {
    match state.status {
        None => Step::Done,
        Some(ExecutionStatus::Queued) => Step::Reserve,
        Some(ExecutionStatus::Planned) => Step::Bind,
        Some(ExecutionStatus::Bound) => Step::Sign,
        Some(ExecutionStatus::Signed) => Step::Broadcast,
        Some(ExecutionStatus::Stuck) if state.attempts.is_empty() => Step::Sign,
        Some(status) if status.is_terminal() => Step::Done,
        Some(_) => Step::Follow,
    }
}

/// The saga of one chain.
pub struct SettleExecution {
    services: Services,
    chain: Chain,
}

impl SettleExecution {
    /// The saga on these services for this chain.
    pub const fn new(services: Services, chain: Chain) -> Self {
        Self { services, chain }
    }

    /// The name of the workflow, which is its actor in the log.
    pub const NAME: &'static str = "settle_execution";

    async fn state(&self, job: &Job) -> Result<ExecutionState, SettleError> {
        Ok(self.services.load::<Execution>(job.scope.execution).await?)
    }

    async fn execute(&self, job: &Job, use_case: impl Transact + 'static) -> Result<(), SettleError> {
        let context = self.services.context(Self::NAME, None, job.trace.clone());
        Ok(self
            .services
            .commands
            .execute(context, Arc::new(use_case))
            .await?)
    }

    async fn record(&self, job: &Job, command: ExecutionCommand) -> Result<(), SettleError> {
        self.execute(
            job,
            RecordExecution {
                scope: job.scope,
                command,
            },
        )
        .await
    }

    async fn mark_stuck(&self, job: &Job, detail: String) -> Result<(), SettleError> {
        tracing::error!(execution = %job.scope.execution, %detail, "execution is stuck; a person should look");
        self.record(job, ExecutionCommand::MarkStuck(v1::Stuck { detail }))
            .await
    }

    /// Takes an execution as far as it gets without news from the chain. Answers the step it rests at. What can never
    /// succeed is ended before *bind* and marked stuck after it, so that nothing waits behind it for ever.
    pub async fn advance(&self, job: &Job) -> Result<Step, SettleError> {
        loop {
            if !self.services.barrier.is_open() {
                return Err(SettleError::Barred);
            }
            let state = self.state(job).await?;
            let step = next_step(&state);
            let done = match step {
                Step::Reserve => self.reserve(job, &state).await,
                Step::Bind => self.bind(job, &state).await,
                Step::Sign => self.sign(job, &state).await,
                Step::Broadcast => self.broadcast(job, &state).await,
                Step::Follow | Step::Done => return Ok(step),
            };
            match done {
                Ok(()) => {}
                Err(error) if !error.is_permanent() => return Err(error),
                Err(error) if matches!(step, Step::Reserve | Step::Bind) => {
                    self.abandon(job, ErrorCode::Internal, error.to_string()).await?;
                }
                // Said once: the next tries are quiet until something changes.
                Err(_) if state.status == Some(ExecutionStatus::Stuck) => return Ok(step),
                Err(error) => {
                    self.mark_stuck(job, error.to_string()).await?;
                    return Ok(step);
                }
            }
        }
    }
}

impl SettleError {
    /// Whether trying again cannot help.
    const fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Rules(_) | Self::Key(KeyError::PlanMismatch(_) | KeyError::Unknown(_))
        )
    }
}

/// Whether a refusal says "decide again": somebody else took the slot value or moved the stream on.
const fn is_race(error: &SettleError) -> bool {
    matches!(
        error,
        SettleError::Command(CommandError::Refused(DomainError::Slots(
            vaultstream_domain::execution::SlotsError::NotNext { .. }
        )))
    )
}
