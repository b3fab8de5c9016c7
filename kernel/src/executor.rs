//! The executor: from commands to durable events, many commands in one append.
//!
//! One task takes what waits in a bounded queue, loads the states it does not have, decides in memory and sends one
//! batch; while that commits it decides the next. Invariants:
//!
//! * A command is answered only when the log has answered for it. A refusal, too, rests on the log: it is sent as a
//!   pure condition on the versions it was decided on, so nobody is refused by a state that never became durable.
//! * States in memory run ahead of the log by what is in flight. A write that builds on such a state names its hash, so
//!   the log refuses it when its ground is lost. A command that only *reads* such a state has no hash to name and
//!   waits until the state is durable; others may overtake it meanwhile.
//! * An unclear answer is resolved by sending the same batch again; a conflict by loading and deciding again.
//!
//! A caller who finds the queue full waits for room, in order of arrival, with whoever else waits: so many and so long at
//! most. Whoever goes away meanwhile leaves their place to the next, and has asked for nothing.
//!
//! Refuses: more callers than may wait and longer than they may, use cases that break the rules of [`Transact`], events
//! that a living process would not read; a panic in one fails that command only.

mod append;
mod batch;
mod error;
mod run;
mod snapshots;
mod states;

use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{Clock, EventLog, Spawn};
use vaultstream_domain::{CommandContext, States, Transact};
use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::{Hlc, StreamId, Timestamp};

pub use error::ExecuteError;

use crate::line::Line;
use crate::observer::{Fact, Observer};
use crate::writable::Writable;
use run::Core;

/// Bounds of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Commands that may wait for a decision.
    pub queue: usize,
    /// Callers that may wait for room in the queue; more are turned away.
    pub line: usize,
    /// How long a caller waits for room before it is turned away.
    pub line_ms: u64,
    /// Commands of one batch.
    pub batch_commands: usize,
    /// Bytes of events after which a batch takes no further command.
    pub batch_bytes: usize,
    /// Batches in flight at once.
    pub in_flight: usize,
    /// States kept in memory.
    pub states: usize,
    /// A stream gets a snapshot each time it has so many more events.
    pub snapshot_every: u64,
    /// Decisions of one command at most.
    pub attempts: u32,
    /// Tries of one append at most, when the log fails.
    pub append_tries: u32,
    /// Whether the log's clock is given by the Clock port, for reproducible logs, or is the engine's own.
    pub engine_clock: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 1024,
            line: 16_384,
            line_ms: 10_000,
            batch_commands: 256,
            batch_bytes: 1 << 20,
            in_flight: 2,
            states: 20_000,
            snapshot_every: 200,
            attempts: 16,
            append_tries: 6,
            engine_clock: true,
        }
    }
}

/// What an executor runs on.
#[derive(Clone)]
pub struct Ports {
    /// The log it appends to.
    pub log: Arc<dyn EventLog>,
    /// The time of decisions and of pauses.
    pub clock: Arc<dyn Clock>,
    /// Starts its tasks.
    pub spawn: Arc<dyn Spawn>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
}

/// Where one event of a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPlace {
    /// Its stream.
    pub stream: StreamId,
    /// Its place in its stream.
    pub sequence: u64,
    /// Its place in its shard.
    pub position: u64,
    /// The shard's clock at it.
    pub hlc: Hlc,
}

/// A command whose effect is durable.
#[derive(Debug, Clone)]
pub struct Committed {
    /// At least this much has happened once a reader has seen the effect; the ground of a consistency token.
    pub positions: Positions,
    /// The events, in order; none when the command had already had its effect.
    pub events: Vec<EventPlace>,
    /// The states of the use case's streams after it.
    pub states: States,
}

impl Committed {
    /// Whether the command had already had its effect.
    pub fn is_unchanged(&self) -> bool {
        self.events.is_empty()
    }
}

/// One command on its way.
struct Request {
    context: CommandContext,
    use_case: Arc<dyn Transact>,
    reads: Vec<StreamId>,
    creates: Vec<StreamId>,
    answer: oneshot::Sender<Result<Committed, ExecuteError>>,
    received: Timestamp,
    /// Decisions made so far.
    attempts: u32,
    /// How often it was put off because a state was not durable yet.
    deferrals: u32,
}

/// The handle of a running executor. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    queue: mpsc::Sender<Request>,
    /// Callers that wait for room in the queue.
    line: Arc<Line>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl Executor {
    /// Starts an executor. When `shutdown` is cancelled it takes no more, answers what it has taken, and ends.
    pub fn start(options: Options, ports: Ports, shutdown: CancellationToken) -> Self {
        Self::gated(options, ports, Writable::own(), shutdown)
    }

    /// [`Self::start`], with a bound on the event versions that are written.
    pub fn gated(options: Options, ports: Ports, writable: Writable, shutdown: CancellationToken) -> Self {
        let (sender, queue) = mpsc::channel(options.queue.max(1));
        let handle = Self {
            queue: sender,
            line: Arc::new(Line::new(options.line, options.line_ms, Arc::clone(&ports.clock))),
            clock: Arc::clone(&ports.clock),
            observer: Arc::clone(&ports.observer),
        };
        let spawn = Arc::clone(&ports.spawn);
        let snapshots = snapshots::start(&ports);
        let core = Core::new(options, ports, writable, snapshots);
        spawn.spawn("executor", Box::pin(core.run(queue, shutdown)));
        handle
    }

    /// How many commands wait, and how many may.
    pub fn queue(&self) -> (usize, usize) {
        let most = self.queue.max_capacity();
        (most - self.queue.capacity(), most)
    }

    /// Runs a use case. Dropping the future before the queue has taken the command is as if nobody had asked; afterwards
    /// it does not take the command back: it may still become durable.
    pub async fn execute(
        &self,
        context: CommandContext,
        use_case: Arc<dyn Transact>,
    ) -> Result<Committed, ExecuteError> {
        let name = use_case.name();
        let (answer, answered) = oneshot::channel();
        let request = Request {
            context,
            reads: use_case.reads(),
            creates: use_case.creates(),
            use_case,
            answer,
            received: self.clock.now(),
            attempts: 0,
            deferrals: 0,
        };
        let room = match self.queue.try_reserve() {
            Ok(room) => Ok(room),
            Err(TrySendError::Full(())) => match self.line.wait(self.queue.reserve()).await {
                Some(room) => room.map_err(|_| ExecuteError::Stopped),
                None => Err(ExecuteError::Overloaded),
            },
            Err(TrySendError::Closed(())) => Err(ExecuteError::Stopped),
        };
        match room {
            Ok(room) => room.send(request),
            Err(refused) => {
                if matches!(refused, ExecuteError::Overloaded) {
                    self.observer.observe(&Fact::Overloaded { use_case: name });
                }
                return Err(refused);
            }
        }
        answered.await.unwrap_or(Err(ExecuteError::Lost))
    }
}
