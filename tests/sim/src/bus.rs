//! The bus as a model: a topic a shard, in the order of publication, repeats included.
//!
//! What is acknowledged is on the topic; of a publication that failed any prefix is. Two publishers interleave. Old
//! records leave. An answer may begin earlier than asked and may lack records; its positions tell. Records of a life that
//! has ended stay on the topic and are not given.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::publisher::{MAX_PUBLISH, PublishError};
use vaultstream_domain::ports::{Bus, Clock, Publisher};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Registry, ShardNumber};

use crate::weather::Weather;

/// The longest wait for the first record, in milliseconds.
const WAIT_MS: u64 = 1_000;
/// How many records earlier an answer begins at most.
const EARLIER: u64 = 12;

/// A record, and the life its shard was in when it was handed over.
type Record = (u32, StoredEvent);
type Topics = BTreeMap<ShardNumber, Vec<Record>>;

struct Kept {
    topics: Mutex<Topics>,
    /// The life that the log is in, which readers ask it for.
    life: AtomicU32,
    moved: Notify,
}

/// A handle to the bus. Clones share the topics.
#[derive(Clone)]
pub struct SimBus {
    kept: Arc<Kept>,
    clock: Arc<dyn Clock>,
    weather: Option<Weather>,
}

impl SimBus {
    /// Empty topics for every shard, without weather.
    pub fn new(registry: &Registry, clock: Arc<dyn Clock>) -> Self {
        let shards = registry.entries().iter();
        Self {
            kept: Arc::new(Kept {
                topics: Mutex::new(shards.map(|entry| (entry.number, Vec::new())).collect()),
                life: AtomicU32::new(1),
                moved: Notify::new(),
            }),
            clock,
            weather: None,
        }
    }

    /// The same bus through weather.
    #[must_use]
    pub fn reached(&self, weather: &Weather) -> Self {
        Self {
            weather: Some(weather.clone()),
            ..self.clone()
        }
    }

    /// The log is in this life from now on.
    pub fn begin_life(&self, life: u32) {
        self.kept.life.store(life, Ordering::SeqCst);
    }

    fn locked(&self) -> MutexGuard<'_, Topics> {
        self.kept.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of a publication arrives, when it fails.
    async fn prefix(&self, records: usize) -> Option<usize> {
        let weather = self.weather.as_ref()?;
        weather.latency().await;
        if !weather.strikes("publish-failed", |odds| odds.bus_fails) {
            return None;
        }
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        let arrives = weather.sim().draw(|dice| dice.between(0, records));
        usize::try_from(arrives).ok()
    }

    /// What an answer holds of a topic: what is behind `after`, as far as the way lets it through.
    fn answer(&self, topic: &[Record], after: u64, limit: usize) -> Vec<StoredEvent> {
        let now = self.kept.life.load(Ordering::SeqCst);
        let of_now = topic.iter().filter(|(life, _)| *life == now);
        let topic: Vec<&StoredEvent> = of_now.map(|(_, record)| record).collect();
        let Some(mut start) = topic.iter().position(|record| record.position > after) else {
            return Vec::new();
        };
        let weather = self.weather.as_ref();
        if let Some(weather) = weather
            && weather.strikes("bus-repeated", |odds| odds.bus_repeats)
        {
            let earlier = weather.sim().draw(|dice| dice.between(1, EARLIER));
            start = start.saturating_sub(usize::try_from(earlier).unwrap_or(0));
        }
        let answer = topic[start..].iter().take(limit);
        let mut answer: Vec<StoredEvent> = answer.map(|record| (*record).clone()).collect();
        if let Some(weather) = weather
            && weather.strikes("bus-lost", |odds| odds.bus_loses)
        {
            answer.retain(|_| !weather.sim().chance(400));
        }
        answer
    }
}

fn publish_error(why: &'static str) -> PublishError {
    PublishError {
        doing: "publish",
        source: why.into(),
    }
}

#[async_trait]
impl Publisher for SimBus {
    async fn publish(
        &self,
        shard: ShardNumber,
        incarnation: u32,
        records: &[StoredEvent],
    ) -> Result<(), PublishError> {
        if records.len() > MAX_PUBLISH {
            return Err(publish_error("too many records"));
        }
        if !self.locked().contains_key(&shard) {
            return Err(publish_error("no such shard"));
        }
        let prefix = self.prefix(records.len()).await;
        let arrived = &records[..prefix.unwrap_or(records.len()).min(records.len())];
        if let Some(topic) = self.locked().get_mut(&shard) {
            topic.extend(arrived.iter().map(|record| (incarnation, record.clone())));
            let leaves = self
                .weather
                .as_ref()
                .is_some_and(|weather| weather.strikes("bus-retention", |odds| odds.bus_loses / 4));
            if leaves {
                topic.drain(..topic.len() / 2);
            }
        }
        self.kept.moved.notify_waiters();
        match prefix {
            Some(_) => Err(publish_error("the simulated broker failed")),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Bus for SimBus {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        let failed = |why: &'static str| BusError {
            doing: "read the topic",
            source: why.into(),
        };
        if let Some(weather) = &self.weather {
            weather.latency().await;
            if weather.strikes("fetch-failed", |odds| odds.bus_fails) {
                return Err(failed("the simulated broker failed"));
            }
        }
        let late = self.clock.sleep_ms(WAIT_MS);
        tokio::pin!(late);
        loop {
            let mut moved = std::pin::pin!(self.kept.moved.notified());
            moved.as_mut().enable();
            {
                let topics = self.locked();
                let topic = topics.get(&shard).ok_or_else(|| failed("no such shard"))?;
                if limit == 0 {
                    return Ok(Vec::new());
                }
                let answer = self.answer(topic, after, limit);
                if !answer.is_empty() {
                    return Ok(answer);
                }
            }
            tokio::select! {
                biased;
                () = &mut late => return Ok(Vec::new()),
                () = moved => {}
            }
        }
    }
}
