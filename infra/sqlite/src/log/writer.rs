//! The one thread that writes: takes what waits, commits it as one transaction, tells everyone.
//!
//! Phases of a turn: drain requests up to a bound → one transaction ([`super::group`]) → publish to the tail in memory
//! → move the heads, which wakes followers → answer callers → a share of checkpoint work. A failed transaction leaves
//! nothing behind and is answered as a failure to all of its callers, who send again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, LogError, Snapshot};
use vaultstream_event_schemas::clock::{Hlc, Timestamp};
use vaultstream_event_schemas::envelope::{HashedEvent, StoredEvent};
use vaultstream_event_schemas::{ShardNumber, StreamId};

use super::Shared;
use super::group::{self, Outcome, Written};
use crate::wal::Checkpoints;

/// Commands after which a turn takes no further request.
const MAX_COMMANDS: usize = 2_048;

/// What one transaction adds to the write-ahead log besides its events.
const TRANSACTION_BYTES: usize = 4 * 4_096;

/// How a request is answered.
pub(super) type Answer<T> = oneshot::Sender<Result<T, LogError>>;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// Append a batch that was found well-formed.
    Append {
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
        answer: Answer<Vec<AppendOutcome>>,
    },
    /// Keep a snapshot.
    Snapshot {
        stream: StreamId,
        fold_version: u32,
        snapshot: Snapshot,
        answer: Answer<()>,
    },
}

impl Request {
    fn commands(&self) -> usize {
        match self {
            Self::Append { batch, .. } => batch.len(),
            Self::Snapshot { .. } => 1,
        }
    }

    fn fail(self, source: &Arc<rusqlite::Error>) {
        let source = Box::new(Arc::clone(source));
        // A caller that went away needs no answer.
        match self {
            Self::Append { answer, .. } => {
                let _ = answer.send(Err(LogError::Engine {
                    doing: "append",
                    source,
                }));
            }
            Self::Snapshot { answer, .. } => {
                let _ = answer.send(Err(LogError::Engine {
                    doing: "save a snapshot",
                    source,
                }));
            }
        }
    }
}

/// The writing end of the log.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Request>,
    checkpoints: Checkpoints,
}

impl Writer {
    /// Takes over the connection.
    pub(super) const fn new(
        connection: Connection,
        shared: Arc<Shared>,
        queue: mpsc::Receiver<Request>,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            connection,
            shared,
            queue,
            checkpoints,
        }
    }

    /// Works until the log is dropped and everything accepted is written.
    pub(super) fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let mut commands = first.commands();
            let mut requests = vec![first];
            while commands < MAX_COMMANDS {
                let Ok(next) = self.queue.try_recv() else { break };
                commands += next.commands();
                requests.push(next);
            }
            self.turn(requests);
            self.checkpoints.finish_if_due(&self.connection);
        }
    }

    fn turn(&mut self, requests: Vec<Request>) {
        match group::write(&self.connection, &self.shared, &requests) {
            Ok(written) => {
                self.checkpoints.note(growth(&written));
                self.publish(requests, written);
            }
            Err(source) => {
                tracing::error!(error = %source, requests = requests.len(), "a transaction of the event log failed");
                let source = Arc::new(source);
                requests.into_iter().for_each(|request| request.fail(&source));
            }
        }
    }

    fn publish(&self, requests: Vec<Request>, written: Written) {
        let mut tail: BTreeMap<ShardNumber, Vec<StoredEvent>> = BTreeMap::new();
        let mut answers = Vec::with_capacity(requests.len());
        for (request, outcomes) in requests.into_iter().zip(written.outcomes) {
            match request {
                Request::Append { batch, answer, .. } => {
                    let outcomes = batch
                        .into_iter()
                        .zip(outcomes)
                        .map(|(command, outcome)| keep(&mut tail, command, outcome));
                    answers.push((answer, outcomes.collect()));
                }
                Request::Snapshot { answer, .. } => {
                    let _ = answer.send(Ok(()));
                }
            }
        }
        for (shard, events) in tail {
            self.shared.recent.extend(shard, events);
        }
        for (shard, head) in written.heads {
            if let Some(sender) = self.shared.heads.get(usize::from(shard.0)) {
                sender.send_replace(head);
            }
        }
        for (answer, outcomes) in answers {
            let _ = answer.send(Ok(outcomes));
        }
    }
}

/// How much a transaction makes the write-ahead log grow, by estimate: pages are not full, so the bytes of events count
/// twice; the last pages of table and index are written again.
const fn growth(written: &Written) -> usize {
    if written.bytes == 0 {
        return 0;
    }
    2 * written.bytes + TRANSACTION_BYTES
}

/// Hands the events of a fresh commit to the tail and gives back what the caller is told.
fn keep(
    tail: &mut BTreeMap<ShardNumber, Vec<StoredEvent>>,
    command: AppendCommand,
    outcome: Outcome,
) -> AppendOutcome {
    if outcome.fresh
        && let AppendOutcome::Committed { first, hlcs, .. } = &outcome.told
    {
        let events = command.streams.into_iter().flat_map(|part| part.events);
        let stored = events
            .zip(hlcs)
            .zip(*first..)
            .map(|((event, hlc), position)| stored(event, *hlc, position));
        tail.entry(command.shard).or_default().extend(stored);
    }
    outcome.told
}

fn stored(event: HashedEvent, hlc: Hlc, position: u64) -> StoredEvent {
    StoredEvent {
        position,
        hlc,
        envelope: event.envelope,
        payload: event.payload,
        previous: event.previous,
        hash: event.hash,
    }
}
