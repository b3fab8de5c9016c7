//! Our log as the event repository of stock cqrs-es, for reading.

use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::persist::{
    PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot,
};
use serde_json::{Map, Value, json};
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{ShardNumber, StreamId};

/// Events read at a time.
const PAGE: usize = 500;
/// Events that wait for a slow replay.
const BACKLOG: usize = 64;

/// A read-only event repository over an event log. Aggregates are named by the text of their stream's id.
#[derive(Clone)]
pub struct LogRepository {
    log: Arc<dyn EventLog>,
}

impl LogRepository {
    /// Reads from the given log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log }
    }

    async fn after(&self, stream: StreamId, after: usize) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let mut events = Vec::new();
        let mut after = after as u64;
        loop {
            let page = self.log.read_stream(stream, after, PAGE).await.map_err(unknown)?;
            for stored in &page {
                after = stored.envelope.sequence;
                events.push(serialized(stored)?);
            }
            if page.len() < PAGE {
                return Ok(events);
            }
        }
    }

    /// Feeds a whole shard's events of one kind. An error is fed too: a replay that swallowed it would pass a cut
    /// history off as a whole one.
    async fn shard(
        &self,
        shard: ShardNumber,
        kind: &str,
        feed: &mut cqrs_es::persist::ReplayFeed,
    ) -> Result<(), PersistenceError> {
        let mut after = 0;
        loop {
            let page = match self.log.read_shard(shard, after, PAGE).await {
                Ok(page) => page,
                Err(error) => return feed.push(Err(unknown(error))).await,
            };
            for stored in &page {
                after = stored.position;
                if stored.envelope.stream.kind.word() == kind {
                    feed.push(serialized(stored)).await?;
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}

fn unknown(error: impl std::error::Error + Send + Sync + 'static) -> PersistenceError {
    PersistenceError::UnknownError(Box::new(error))
}

/// The stream of an aggregate id, when it is one of the aggregate's kind.
fn stream_of<A: Aggregate>(aggregate_id: &str) -> Result<StreamId, PersistenceError> {
    let stream: StreamId = aggregate_id.parse().map_err(unknown)?;
    if stream.kind.word() == A::TYPE {
        return Ok(stream);
    }
    Err(PersistenceError::UnknownError(
        format!("{aggregate_id} is no {}", A::TYPE).into(),
    ))
}

/// A stored event as cqrs-es keeps it: the payload with its type and version, the metadata as flat strings.
fn serialized(stored: &StoredEvent) -> Result<SerializedEvent, PersistenceError> {
    let envelope = &stored.envelope;
    let data: Value = serde_json::from_slice(&stored.payload)?;
    let mut metadata = Map::new();
    let mut note = |key: &str, value: String| metadata.insert(key.to_owned(), Value::String(value));
    note("actor", envelope.actor.to_string());
    note("command", envelope.command.to_string());
    note("hlc", stored.hlc.0.to_string());
    note("incarnation", envelope.incarnation.to_string());
    note("occurredAt", envelope.occurred_at.to_string());
    note("organization", envelope.organization.to_string());
    note("position", stored.position.to_string());
    note("shard", envelope.shard.to_string());
    if let Some(causation) = envelope.causation {
        note("causation", causation.to_string());
    }
    if let Some(trace) = &envelope.trace {
        note("trace", trace.clone());
    }
    Ok(SerializedEvent {
        aggregate_id: envelope.stream.to_string(),
        sequence: usize::try_from(envelope.sequence).map_err(unknown)?,
        aggregate_type: envelope.stream.kind.word().to_owned(),
        event_type: envelope.event_type.clone(),
        event_version: envelope.version.to_string(),
        payload: json!({ "type": envelope.event_type, "version": envelope.version, "data": data }),
        metadata: Value::Object(metadata),
    })
}

impl PersistedEventRepository for LogRepository {
    async fn get_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.after(stream_of::<A>(aggregate_id)?, 0).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.after(stream_of::<A>(aggregate_id)?, last_sequence).await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        // Our snapshots are of our own form; to cqrs-es there are none.
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        _: &[SerializedEvent],
        _: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        let why = "this repository only reads; commands go through the executor";
        Err(PersistenceError::UnknownError(why.into()))
    }

    async fn stream_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        let stream = stream_of::<A>(aggregate_id)?;
        let (mut feed, replay) = ReplayStream::new(BACKLOG);
        let repository = self.clone();
        tokio::spawn(async move {
            match repository.after(stream, 0).await {
                Ok(events) => {
                    for event in events {
                        // A replay that went away needs no more.
                        if feed.push(Ok(event)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => drop(feed.push(Err(error)).await),
            }
        });
        Ok(replay)
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        let (mut feed, replay) = ReplayStream::new(BACKLOG);
        let repository = self.clone();
        tokio::spawn(async move {
            let registry = repository.log.registry();
            for entry in registry.entries() {
                // A replay that went away needs no more.
                if repository.shard(entry.number, A::TYPE, &mut feed).await.is_err() {
                    return;
                }
            }
        });
        Ok(replay)
    }
}
