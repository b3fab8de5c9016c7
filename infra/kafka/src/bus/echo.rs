//! The topics as an echo of the log: what was published of a shard in whichever life, from a position on to where the
//! topic ended when reading began.
//!
//! A partition has its lives one after another, so the first record behind the position in the first life is looked up, and
//! everything from there on is read. One consumer reads one partition at a time, with no group and without committing
//! anything. Refuses: an unknown shard, a broker that does not answer within the configured patience.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Native;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use vaultstream_domain::ports::Echo;
use vaultstream_domain::ports::echo::{EchoError, EchoPage};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Registry, ShardNumber, record};

use super::search::Prober;
use crate::client::{Ears, blocking, create};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::record::Standing;
use crate::topics::{Route, Topics};

const PLACE: &str = "Kafka";
/// The life that is looked for: no shard lived one before it.
const FIRST_LIFE: u32 = 1;
/// Records of a page.
const PAGE: usize = 1_000;
/// Bytes of records after which a page is closed.
const PAGE_BYTES: usize = 2 << 20;

/// Reads what topics still have of the log.
pub struct KafkaEcho {
    topics: Topics,
    prober: Arc<Prober>,
    reader: Arc<Reader>,
    place: Option<Place>,
}

/// What reads.
struct Reader {
    consumer: BaseConsumer<Ears>,
    ears: Ears,
    options: KafkaOptions,
}

/// The partition that is read, from `next` to the offset before `end`.
#[derive(Clone)]
struct Place {
    shard: ShardNumber,
    route: Route,
    next: i64,
    end: i64,
}

impl KafkaEcho {
    /// Over the topics of a registry; it connects when it is first used.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn try_new(options: &KafkaOptions, registry: &Registry) -> Result<Self, KafkaError> {
        let ears = Ears::default();
        let reader = Reader {
            consumer: create(&super::reader(options)?, ears.clone())?,
            ears,
            options: options.clone(),
        };
        Ok(Self {
            topics: Topics::try_new(&options.prefix, registry)?,
            prober: Arc::new(Prober::new(super::prober(options)?, options)),
            reader: Arc::new(reader),
            place: None,
        })
    }

    async fn open(&self, shard: ShardNumber, after: u64) -> Result<Place, KafkaError> {
        let route = self.topics.route(shard).ok_or_else(|| KafkaError::Other {
            doing: "find the topic",
            source: format!("shard {shard} is not in the registry").into(),
        })?;
        let wanted = Standing {
            incarnation: FIRST_LIFE,
            position: after.saturating_add(1),
        };
        let found = self.prober.find(route.events.clone(), route.partition, wanted);
        let next = found.await?.offset;
        let (reader, route) = (self.reader.clone(), route.clone());
        blocking("begin to read a partition", move || {
            reader.open(shard, route, next)
        })
        .await
    }
}

impl Reader {
    fn patience(&self) -> Duration {
        Duration::from_millis(self.options.patience_ms.max(1))
    }

    fn open(&self, shard: ShardNumber, route: Route, next: i64) -> Result<Place, KafkaError> {
        let ends = self
            .consumer
            .fetch_watermarks(&route.events, route.partition, self.patience());
        let (low, end) = ends.map_err(|_| self.ears.unanswered(&self.options))?;
        let next = next.max(low);
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset(&route.events, route.partition, Offset::Offset(next))
            .and_then(|()| self.consumer.assign(&place))
            .map_err(failure)?;
        Ok(Place {
            shard,
            route,
            next,
            end,
        })
    }

    /// The next records of a place, and the place behind them.
    fn page(&self, mut place: Place) -> Result<(EchoPage, Place), KafkaError> {
        let (mut page, mut bytes) = (EchoPage::default(), 0);
        while place.next < place.end && page.events.len() < PAGE && bytes < PAGE_BYTES {
            let message = match self.consumer.poll(self.patience()) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(failure(error)),
                None => return Err(self.ears.unanswered(&self.options)),
            };
            // What is left in the queue of the partition that was read before is not this one's.
            if message.partition() != place.route.partition || message.topic() != &*place.route.events {
                continue;
            }
            place.next = message.offset().saturating_add(1);
            if place.next > place.end {
                break;
            }
            bytes += message.payload_len();
            match event(place.shard, &message) {
                Some(event) => page.events.push(event),
                None => page.damaged += 1,
            }
        }
        Ok((page, place))
    }
}

/// The event of a record, when it is a whole one of this shard.
fn event(shard: ShardNumber, message: &BorrowedMessage<'_>) -> Option<StoredEvent> {
    let standing = Standing::of(message)?;
    let event = record::decode(message.payload().unwrap_or_default()).ok()?;
    (event.envelope.shard == shard && event.position == standing.position).then_some(event)
}

fn failure(error: Native) -> KafkaError {
    KafkaError::Other {
        doing: "read a partition",
        source: Box::new(error),
    }
}

fn failed(error: KafkaError) -> EchoError {
    EchoError {
        place: PLACE,
        source: Box::new(error),
    }
}

#[async_trait]
impl Echo for KafkaEcho {
    fn place(&self) -> &'static str {
        PLACE
    }

    async fn begin(&mut self, shard: ShardNumber, after: u64) -> Result<(), EchoError> {
        self.place = None;
        self.place = Some(self.open(shard, after).await.map_err(failed)?);
        Ok(())
    }

    async fn next(&mut self) -> Result<EchoPage, EchoError> {
        let Some(place) = self.place.clone() else {
            return Ok(EchoPage::default());
        };
        let reader = self.reader.clone();
        let read = blocking("read a partition", move || reader.page(place)).await;
        let (page, place) = read.map_err(failed)?;
        self.place = Some(place);
        Ok(page)
    }
}
