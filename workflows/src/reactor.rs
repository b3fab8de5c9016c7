//! A reactor follows one shard and gives each event to a reaction; its mark moves on when the reaction is done.
//!
//! Events of one batch are handled side by side, because reactions of different streams do not depend on each other
//! and those of one stream are idempotent and re-decide on the stream itself. A reaction that fails for want of a
//! service is tried again with growing pauses; it is never skipped. The mark is a note in `Progress`: losing it only
//! repeats reactions. For the same reason a shard whose history is not the followed one any more (it was restored, or
//! promoted elsewhere) is simply reacted to from its beginning. Refuses to go on in a log that cannot be read.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::Event;
use vaultstream_domain::error::Causes;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::token::Place;
use vaultstream_kernel::consumer::RunError;
use vaultstream_kernel::{Batch, Consumer, ConsumerError, LoadError, Mark, TailError};

use crate::services::{CommandError, Services};

/// Reactions of a batch under way at once.
const CONCURRENCY: usize = 256;
const FIRST_PAUSE_MS: u64 = 50;
const LONGEST_PAUSE_MS: u64 = 5_000;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a reaction is not done yet.
#[derive(Debug, thiserror::Error)]
pub enum ReactError {
    /// A command was not taken.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A stream could not be loaded.
    #[error("a stream cannot be loaded")]
    Load(#[from] LoadError),
    /// Another service does not answer, or answers what cannot be used.
    #[error("what the reaction needs is not to be had")]
    Service(#[source] Source),
}

impl ReactError {
    /// Another service does not answer, or answers what cannot be used.
    pub fn service(why: impl Into<Source>) -> Self {
        Self::Service(why.into())
    }
}

/// What is done about events. Must be safe to repeat.
#[async_trait]
pub trait React: Send + Sync + 'static {
    /// The name of the mark and of the actor in the log.
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
    id: String,
    shard: ShardNumber,
    place: Standing,
}

/// What a reactor knows of where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not asked for yet: the note in `Progress` says it, and is kept.
    Noted,
    /// Known, and written down after each batch when it is to survive a restart.
    At { mark: Option<Mark>, kept: bool },
}

impl Reactor {
    /// A reactor whose mark survives a restart.
    pub fn new(services: Services, reaction: Arc<dyn React>, shard: ShardNumber) -> Self {
        let id = format!("reactor/{}/{shard}", reaction.name());
        Self {
            services,
            reaction,
            id,
            shard,
            place: Standing::Noted,
        }
    }

    /// A reactor that begins behind `place` at every start, or at the beginning of the shard: what came before is known
    /// otherwise, from a to-do view or not at all.
    pub fn after(
        services: Services,
        reaction: Arc<dyn React>,
        shard: ShardNumber,
        place: Option<Place>,
    ) -> Self {
        let mark = place.map(|place| Mark::at(shard, place));
        Self {
            place: Standing::At { mark, kept: false },
            ..Self::new(services, reaction, shard)
        }
    }

    /// Follows the shard until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (tailer, shard) = (self.services.tailer.clone(), self.shard);
        loop {
            match tailer.run(&mut self, shard, &stop).await {
                Ok(()) => return,
                Err(RunError::Tail(error @ (TailError::Incarnation { .. } | TailError::History { .. }))) => {
                    tracing::error!(reactor = self.id, error = %Causes(&error), "the shard is not the followed one any more; reacting from its beginning");
                    self.place = Standing::At {
                        mark: None,
                        kept: !matches!(self.place, Standing::At { kept: false, .. }),
                    };
                }
                Err(error) => {
                    tracing::error!(reactor = self.id, error = %Causes(&error), "the reactor has ended; a person should look");
                    return;
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.services.clock.sleep_ms(FIRST_PAUSE_MS) => {}
            }
        }
    }

    async fn noted(&self) -> Option<Mark> {
        let why = match self.services.progress.load(&self.id).await {
            Ok(None) => return None,
            Ok(Some(note)) => match serde_json::from_slice::<Mark>(&note) {
                Ok(mark) if mark.shard == self.shard => return Some(mark),
                Ok(_) => "it is of another shard".to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => Causes(&error).to_string(),
        };
        tracing::warn!(
            reactor = self.id,
            why,
            "mark not readable; reacting from the beginning"
        );
        None
    }

    async fn keep(&self, mark: &Mark) {
        let kept = match serde_json::to_vec(mark) {
            Ok(note) => self.services.progress.save(&self.id, &note).await,
            Err(error) => {
                tracing::error!(reactor = self.id, %error, "a mark has no JSON form");
                return;
            }
        };
        if let Err(error) = kept {
            tracing::warn!(reactor = self.id, error = %Causes(&error), "mark not kept; a restart repeats reactions");
        }
    }

    /// Returns when the reaction is done, however long that takes.
    async fn until_done(&self, stored: &StoredEvent) {
        if !self.reaction.wants(&stored.envelope.event_type) {
            return;
        }
        let event = stored.envelope.event_ref();
        let mut pause_ms = FIRST_PAUSE_MS;
        loop {
            match self.try_once(stored).await {
                Ok(()) => return,
                // A refusal is an answer: the stream has moved on, or never was in a state to react to.
                Err(ReactError::Command(CommandError::Refused(refusal))) => {
                    tracing::info!(reactor = self.id, %event, %refusal, "refused");
                    return;
                }
                Err(error) => {
                    tracing::warn!(reactor = self.id, %event, error = %Causes(&error), pause_ms, "not done; trying again");
                }
            }
            self.services.clock.sleep_ms(pause_ms).await;
            pause_ms = (pause_ms * 2).min(LONGEST_PAUSE_MS);
        }
    }

    async fn try_once(&self, stored: &StoredEvent) -> Result<(), ReactError> {
        let events = Event::read(stored).map_err(ReactError::service)?;
        for event in &events {
            self.reaction.react(stored, event).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Consumer for Reactor {
    fn id(&self) -> &str {
        &self.id
    }

    async fn mark(&mut self, _: ShardNumber) -> Result<Option<Mark>, ConsumerError> {
        match self.place {
            Standing::At { mark, .. } => Ok(mark),
            Standing::Noted => {
                let mark = self.noted().await;
                self.place = Standing::At { mark, kept: true };
                Ok(mark)
            }
        }
    }

    async fn apply(&mut self, batch: &Batch) -> Result<(), ConsumerError> {
        let this = &*self;
        // By index: a closure over references is not general enough for a task that moves between threads.
        futures::stream::iter(0..batch.events.len())
            .map(|i| this.until_done(&batch.events[i]))
            .buffer_unordered(CONCURRENCY)
            .for_each(|()| async {})
            .await;
        let kept = !matches!(self.place, Standing::At { kept: false, .. });
        self.place = Standing::At {
            mark: Some(batch.mark),
            kept,
        };
        if kept {
            self.keep(&batch.mark).await;
        }
        Ok(())
    }
}
