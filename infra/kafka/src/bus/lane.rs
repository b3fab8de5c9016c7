//! One shard as it is read: its queue, its window, and the life of the shard it believes in.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{ShardNumber, record};

use super::WAIT;
use super::search::{Found, Prober};
use super::window::{MAX_RECORDS, Window};
use crate::client::{Ears, blocking};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::record::Standing;
use crate::topics::{Route, Topics};

/// What all lanes read with.
pub(super) struct Reading {
    pub(super) consumer: Arc<BaseConsumer<Ears>>,
    pub(super) prober: Arc<Prober>,
    pub(super) topics: Topics,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) ears: Ears,
    pub(super) options: KafkaOptions,
}

/// A shard as it is read.
pub(super) struct Lane {
    shard: ShardNumber,
    route: Route,
    queue: PartitionQueue<Ears>,
    bell: Arc<Notify>,
    incarnation: u32,
    window: Window,
    /// Something of the topic that only the log can settle.
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone, Copy)]
enum Doubt {
    /// A record that cannot be read stands where this position should be.
    Damaged(u64),
    /// A record speaks of a later life of the shard than the one known.
    Reborn,
}

/// What was taken from the queue.
enum Taken {
    Record(Box<StoredEvent>),
    /// Of another life, not ours, or damaged beyond telling its place.
    Nothing,
    Doubt(Doubt),
}

impl Lane {
    /// Begins to read a shard behind `after`.
    pub(super) async fn open(
        reading: &Reading,
        shard: ShardNumber,
        route: &Route,
        after: u64,
        bell: &Arc<Notify>,
    ) -> Result<Self, KafkaError> {
        let incarnation = incarnation(reading, shard).await?;
        let found = find(reading, route, incarnation, after).await?;
        // Split before it is assigned: nothing of the partition reaches the client's common queue.
        let mut queue = reading
            .consumer
            .split_partition_queue(&route.events, route.partition)
            .ok_or_else(|| KafkaError::Missing(route.events.to_string()))?;
        let rings = bell.clone();
        queue.set_nonempty_callback(move || rings.notify_waiters());
        let mut place = TopicPartitionList::new();
        let assigned = place
            .add_partition_offset(&route.events, route.partition, Offset::Offset(found.offset))
            .and_then(|()| reading.consumer.incremental_assign(&place));
        assigned.map_err(|error| KafkaError::Other {
            doing: "be assigned a partition",
            source: Box::new(error),
        })?;
        Ok(Self {
            shard,
            route: route.clone(),
            queue,
            bell: bell.clone(),
            incarnation,
            window: window(after, found),
            doubt: None,
        })
    }

    /// The records behind `after` that are there now. After a search it waits for the first, because another reader
    /// would move the place again.
    pub(super) async fn take(
        &mut self,
        reading: &Reading,
        after: u64,
        limit: usize,
        mut deadline: Instant,
    ) -> Result<Vec<StoredEvent>, KafkaError> {
        let mut expected = false;
        if !self.window.serves(after) {
            expected = self.reopen(reading, after).await?.some;
            // The search is not the wait.
            deadline = deadline.max(Instant::now() + WAIT);
        }
        loop {
            let mut ring = std::pin::pin!(self.bell.clone().notified_owned());
            ring.as_mut().enable();
            let came = self.drain(reading, after, limit).await?;
            let found = self.window.beyond(after, limit);
            if !found.is_empty() || !(expected || came) {
                return Ok(found);
            }
            if came {
                // Repeats and what lies in front of the place; the reader is now where a search would put it.
                expected = false;
                tokio::task::yield_now().await;
                continue;
            }
            if timeout_at(deadline, ring).await.is_err() {
                return Ok(found);
            }
        }
    }

    /// Moves records from the queue to the window until a reader at `after` has enough; whether any came.
    async fn drain(&mut self, reading: &Reading, after: u64, limit: usize) -> Result<bool, KafkaError> {
        self.settle(reading).await?;
        let mut came = false;
        for _ in 0..MAX_RECORDS {
            if self.window.ready(after) >= limit || !self.window.has_room(after) {
                break;
            }
            let Some(message) = self.queue.poll(Duration::ZERO) else {
                break;
            };
            let taken = match message {
                Ok(message) => self.read(&message),
                Err(error) if came => {
                    tracing::warn!(topic = %self.route.events, partition = self.route.partition, %error, "reading on failed");
                    break;
                }
                Err(error) => {
                    return Err(KafkaError::Other {
                        doing: "read a partition",
                        source: Box::new(error),
                    });
                }
            };
            came = true;
            match taken {
                Taken::Record(record) => self.window.push(*record),
                Taken::Nothing => {}
                Taken::Doubt(doubt) => {
                    self.doubt = Some(doubt);
                    self.settle(reading).await?;
                }
            }
        }
        Ok(came)
    }

    fn read(&self, message: &BorrowedMessage<'_>) -> Taken {
        let (topic, partition, offset) = (&self.route.events, self.route.partition, message.offset());
        let Some(standing) = Standing::of(message) else {
            tracing::error!(%topic, partition, offset, "a record without a place is passed over; the log fills the hole");
            return Taken::Nothing;
        };
        if standing.incarnation < self.incarnation {
            return Taken::Nothing;
        }
        if standing.incarnation > self.incarnation {
            return Taken::Doubt(Doubt::Reborn);
        }
        if standing.position <= self.window.last() {
            return Taken::Nothing;
        }
        let decoded = record::decode(message.payload().unwrap_or_default());
        match decoded {
            Ok(event) if event.position == standing.position && event.envelope.shard == self.shard => {
                Taken::Record(Box::new(event))
            }
            Ok(_) => {
                tracing::error!(%topic, partition, offset, position = standing.position, "a record is not what its headers say; it is read from the log");
                Taken::Doubt(Doubt::Damaged(standing.position))
            }
            Err(error) => {
                tracing::error!(%topic, partition, offset, position = standing.position, %error, "a damaged record is read from the log");
                Taken::Doubt(Doubt::Damaged(standing.position))
            }
        }
    }

    /// Asks the log about what the topic could not tell. Until it answers, reading does not go on.
    async fn settle(&mut self, reading: &Reading) -> Result<(), KafkaError> {
        match self.doubt {
            None => return Ok(()),
            Some(Doubt::Damaged(position)) => {
                let read = reading.log.read_shard(self.shard, position - 1, 1).await;
                let read = read.map_err(|error| KafkaError::Other {
                    doing: "read the log in place of a damaged record",
                    source: Box::new(error),
                })?;
                if let Some(event) = read.into_iter().find(|event| event.position == position) {
                    self.window.push(event);
                }
            }
            Some(Doubt::Reborn) => {
                let now = incarnation(reading, self.shard).await?;
                if now > self.incarnation {
                    // What stands in front of the new life's first record is of lives that were left.
                    self.incarnation = now;
                    self.reopen(reading, 0).await?;
                } else {
                    tracing::error!(topic = %self.route.events, partition = self.route.partition, "a record of a life the log does not know is passed over; is another cluster publishing here?");
                }
            }
        }
        self.doubt = None;
        Ok(())
    }

    /// Moves to the place behind `after`.
    async fn reopen(&mut self, reading: &Reading, after: u64) -> Result<Found, KafkaError> {
        let found = find(reading, &self.route, self.incarnation, after).await?;
        // Whoever is cancelled in the middle of this leaves a place nobody believes in.
        self.window = Window::nowhere();
        let (consumer, route) = (reading.consumer.clone(), self.route.clone());
        let patience = Duration::from_millis(reading.options.patience_ms.max(1));
        blocking("seek", move || {
            let offset = Offset::Offset(found.offset);
            consumer
                .seek(&route.events, route.partition, offset, patience)
                .map_err(|error| KafkaError::Other {
                    doing: "move to a position",
                    source: Box::new(error),
                })
        })
        .await?;
        self.window = window(after, found);
        Ok(found)
    }
}

/// The window of a place that was found for a reader at `after`.
fn window(after: u64, found: Found) -> Window {
    Window::new(found.floor.unwrap_or(after), found.floor.is_some())
}

async fn incarnation(reading: &Reading, shard: ShardNumber) -> Result<u32, KafkaError> {
    let heads = reading.log.heads().await.map_err(|error| KafkaError::Other {
        doing: "ask the log which life a shard is in",
        source: Box::new(error),
    })?;
    Ok(heads.get(&shard).map_or(1, |head| head.incarnation))
}

async fn find(reading: &Reading, route: &Route, incarnation: u32, after: u64) -> Result<Found, KafkaError> {
    let wanted = Standing {
        incarnation,
        position: after.saturating_add(1),
    };
    reading
        .prober
        .find(route.events.clone(), route.partition, wanted)
        .await
}
