//! A reactor follows one shard and gives each event to a reaction; its cursor moves on when the reaction is done.
//!
//! Events of one batch are handled side by side, because reactions of different streams do not depend on each other
//! and those of one stream are idempotent and re-decide on the stream itself. A reaction that fails for want of a
//! service is tried again with growing pauses; it is never skipped. The cursor is a note in `Progress`: losing it only
//! repeats reactions.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::Event;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_kernel::LoadError;

use crate::services::{CommandError, Services};

/// Events looked at together.
const BATCH: usize = 512;
/// Reactions of a batch under way at once.
const CONCURRENCY: usize = 256;
const FIRST_PAUSE_MS: u64 = 50;
const LONGEST_PAUSE_MS: u64 = 5_000;

/// Why a reaction is not done yet.
#[derive(Debug, thiserror::Error)]
pub enum ReactError {
    /// A command was not taken.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A stream could not be loaded.
    #[error("a stream cannot be loaded")]
    Load(#[from] LoadError),
    /// Another service does not answer.
    #[error("{0}")]
    Service(String),
}

/// What is done about events. Must be safe to repeat.
#[async_trait]
pub trait React: Send + Sync + 'static {
    /// The name of the cursor and of the actor in the log.
    fn name(&self) -> &'static str;

    /// Whether this reaction cares for a type of event; a cheap filter before anything is decoded.
    fn wants(&self, event_type: &str) -> bool;

    /// Reacts to an event.
    async fn react(&self, stored: &StoredEvent, event: &Event) -> Result<(), ReactError>;
}

/// Follows one shard for one reaction.
pub struct Reactor {
    services: Services,
    reaction: Arc<dyn React>,
    shard: ShardNumber,
    start: Start,
}

/// Where a reactor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Where it left off: the cursor survives a restart.
    Kept,
    /// After a position, at every start.
    After(u64),
}

impl Reactor {
    /// A reactor whose cursor survives a restart.
    pub fn new(services: Services, reaction: Arc<dyn React>, shard: ShardNumber) -> Self {
        Self {
            services,
            reaction,
            shard,
            start: Start::Kept,
        }
    }

    /// A reactor that begins after `position`: what came before is known otherwise, from a to-do view or not at all.
    pub fn after(services: Services, reaction: Arc<dyn React>, shard: ShardNumber, position: u64) -> Self {
        Self {
            services,
            reaction,
            shard,
            start: Start::After(position),
        }
    }

    fn note(&self) -> String {
        format!("reactor/{}/{}", self.reaction.name(), self.shard)
    }

    async fn cursor(&self) -> u64 {
        if let Start::After(position) = self.start {
            return position;
        }
        match self.services.progress.load(&self.note()).await {
            Ok(Some(note)) => note.try_into().map_or(0, u64::from_be_bytes),
            Ok(None) => 0,
            Err(error) => {
                tracing::warn!(reaction = self.reaction.name(), shard = %self.shard, %error, "cursor not readable; reacting from the beginning");
                0
            }
        }
    }

    /// Follows the shard until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut cursor = self.cursor().await;
        while !stop.is_cancelled() {
            let fetched = tokio::select! {
                () = stop.cancelled() => return,
                fetched = self.services.bus.fetch(self.shard, cursor, BATCH) => fetched,
            };
            let batch = match fetched {
                Ok(batch) => self.in_order(cursor, batch).await,
                Err(error) => {
                    tracing::warn!(reaction = self.reaction.name(), %error, "records not readable; trying again");
                    self.services.clock.sleep_ms(FIRST_PAUSE_MS).await;
                    continue;
                }
            };
            let Some(last) = batch.last().map(|e| e.position) else {
                continue;
            };
            // By index: a closure over references is not general enough for a task that moves between threads.
            let done = futures::stream::iter(0..batch.len())
                .map(|i| self.until_done(&batch[i], &stop))
                .buffer_unordered(CONCURRENCY)
                .all(|done| async move { done })
                .await;
            if !done {
                return;
            }
            cursor = last;
            if self.start == Start::Kept {
                self.keep(cursor).await;
            }
        }
    }

    /// The dense run of records that follows the cursor; a hole is filled from the log.
    async fn in_order(&self, cursor: u64, mut batch: Vec<StoredEvent>) -> Vec<StoredEvent> {
        batch.retain(|e| e.position > cursor);
        let dense = batch
            .iter()
            .zip(cursor + 1..)
            .all(|(e, expected)| e.position == expected);
        if dense {
            return batch;
        }
        self.services
            .log
            .read_shard(self.shard, cursor, BATCH)
            .await
            .unwrap_or_default()
    }

    async fn keep(&self, cursor: u64) {
        if let Err(error) = self
            .services
            .progress
            .save(&self.note(), &cursor.to_be_bytes())
            .await
        {
            tracing::warn!(reaction = self.reaction.name(), shard = %self.shard, %error, "cursor not kept; a restart repeats reactions");
        }
    }

    /// Whether the reaction is done; `false` only when the process stops.
    async fn until_done(&self, stored: &StoredEvent, stop: &CancellationToken) -> bool {
        if !self.reaction.wants(&stored.envelope.event_type) {
            return true;
        }
        let mut pause = FIRST_PAUSE_MS;
        loop {
            match self.try_once(stored).await {
                Ok(()) => return true,
                // A refusal is an answer: the stream has moved on, or never was in a state to react to.
                Err(ReactError::Command(CommandError::Refused(refusal))) => {
                    tracing::info!(reaction = self.reaction.name(), event = %stored.envelope.event_ref(), %refusal, "refused");
                    return true;
                }
                Err(error) => {
                    tracing::warn!(reaction = self.reaction.name(), event = %stored.envelope.event_ref(), %error, pause_ms = pause, "not done; trying again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = self.services.clock.sleep_ms(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE_MS);
        }
    }

    async fn try_once(&self, stored: &StoredEvent) -> Result<(), ReactError> {
        let events = Event::read(stored).map_err(|e| ReactError::Service(e.to_string()))?;
        for event in &events {
            self.reaction.react(stored, event).await?;
        }
        Ok(())
    }
}
