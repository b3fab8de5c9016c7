//! The trap that keeps cqrs-es' own snapshots out of our write path: 0.5.0 applies a command's events once when they
//! are written to the sink and once more when the snapshot is made. When this test fails, it was mended upstream: say
//! so in the ADR, and use it if it is better than ours.

use std::sync::{Arc, Mutex};

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{
    PersistedEventRepository, PersistedEventStore, PersistenceError, ReplayStream, SerializedEvent,
    SerializedSnapshot,
};
use cqrs_es::{Aggregate, CqrsFramework, DomainEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Balance(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Deposited(u64);

impl DomainEvent for Deposited {
    fn event_type(&self) -> String {
        "deposited".into()
    }
    fn event_version(&self) -> String {
        "1".into()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Aggregate for Balance {
    const TYPE: &'static str = "balance";
    type Command = u64;
    type Event = Deposited;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, amount: u64, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
        sink.write(Deposited(amount), self).await;
        Ok(())
    }
    fn apply(&mut self, event: Deposited) {
        self.0 += event.0;
    }
}

type Kept = Option<(String, Value, usize)>;

/// Keeps events and the last snapshot in memory: what is tested is what cqrs-es hands to a repository.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(Vec<SerializedEvent>, Kept)>>);

impl PersistedEventRepository for Memory {
    async fn get_events<A: Aggregate>(&self, _: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        Ok(self.0.lock().expect("not poisoned").0.clone())
    }
    async fn get_last_events<A: Aggregate>(
        &self,
        _: &str,
        last: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        Ok(self
            .0
            .lock()
            .expect("not poisoned")
            .0
            .iter()
            .filter(|e| e.sequence > last)
            .cloned()
            .collect())
    }
    async fn get_snapshot<A: Aggregate>(
        &self,
        id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        let memory = self.0.lock().expect("not poisoned");
        Ok(memory
            .1
            .clone()
            .map(|(_, aggregate, current_snapshot)| SerializedSnapshot {
                aggregate_id: id.to_owned(),
                aggregate,
                current_sequence: memory.0.len(),
                current_snapshot,
            }))
    }
    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        snapshot: Kept,
    ) -> Result<(), PersistenceError> {
        let mut memory = self.0.lock().expect("not poisoned");
        memory.0.extend_from_slice(events);
        memory.1 = snapshot.or(memory.1.take());
        Ok(())
    }
    async fn stream_events<A: Aggregate>(&self, _: &str) -> Result<ReplayStream, PersistenceError> {
        Err(PersistenceError::UnknownError("not used here".into()))
    }
    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Err(PersistenceError::UnknownError("not used here".into()))
    }
}

async fn deposit(store: impl cqrs_es::EventStore<Balance>) {
    let cqrs = CqrsFramework::new(store, vec![], ());
    for amount in [100, 1] {
        cqrs.execute("account", amount).await.expect("deposited");
    }
}

#[tokio::test]
async fn snapshots_of_cqrs_es_0_5_0_should_still_be_wrong_and_its_event_store_right() {
    let memory = Memory::default();
    deposit(PersistedEventStore::<_, Balance>::new_aggregate_store(
        memory.clone(),
    ))
    .await;
    let kept = memory
        .0
        .lock()
        .expect("not poisoned")
        .1
        .clone()
        .expect("a snapshot");
    assert_eq!(
        kept.1,
        serde_json::json!(202),
        "deposits of 100 and 1: mended upstream when this is 101"
    );

    let memory = Memory::default();
    deposit(PersistedEventStore::<_, Balance>::new_snapshot_store(
        memory.clone(),
        1,
    ))
    .await;
    let kept = memory
        .0
        .lock()
        .expect("not poisoned")
        .1
        .clone()
        .expect("a snapshot");
    assert_eq!(
        kept.1,
        serde_json::json!(202),
        "deposits of 100 and 1: mended upstream when this is 101"
    );

    let memory = Memory::default();
    let store = PersistedEventStore::<_, Balance>::new_event_store(memory.clone());
    deposit(PersistedEventStore::<_, Balance>::new_event_store(memory)).await;
    let context = cqrs_es::EventStore::load_aggregate(&store, "account")
        .await
        .expect("loaded");
    assert_eq!(context.aggregate.0, 101);
}
