//! Finds the offset to read from for a position.
//!
//! Along a partition positions rise by one, and fall back where records repeat. A place where a record below the wanted
//! position is followed by one at or beyond it is a right place to begin: from there on everything comes. The search
//! keeps such a pair of ends and narrows it. Positions rarely skip, so the distance in positions is a good guess of the
//! distance in offsets; every other step halves, so a bad guess costs little. Repeats at the very end could hide newer
//! records in front of them; a reader at the head therefore begins one publish in front of the end.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Native;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use vaultstream_domain::ports::publisher::MAX_PUBLISH;

use crate::client::{Ears, create};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::record::Standing;

/// Offsets that are read through rather than searched.
const NEAR: i64 = 64;
/// Steps of a search at most; halving alone needs 64.
const STEPS: usize = 128;

/// Where to begin reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: i64,
    /// Whether that is the topic's first record.
    pub(super) floor: bool,
    /// Whether there is a record at all at or behind it.
    pub(super) some: bool,
}

/// Looks at single records, with a client of its own: looking moves its place.
pub(super) struct Prober {
    config: ClientConfig,
    options: KafkaOptions,
    client: Mutex<Option<(BaseConsumer<Ears>, Ears)>>,
}

/// A partition under search.
struct Partition<'a> {
    client: &'a BaseConsumer<Ears>,
    ears: &'a Ears,
    options: &'a KafkaOptions,
    topic: &'a str,
    partition: i32,
}

impl Prober {
    pub(super) fn new(config: ClientConfig, options: &KafkaOptions) -> Self {
        Self {
            config,
            options: options.clone(),
            client: Mutex::new(None),
        }
    }

    /// The place of the first record at or beyond `wanted`. Blocks.
    pub(super) fn find(&self, topic: &str, partition: i32, wanted: Standing) -> Result<Found, KafkaError> {
        let mut kept = self
            .client
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (client, ears) = match kept.take() {
            Some(client) => client,
            None => {
                let ears = Ears::default();
                (create(&self.config, ears.clone())?, ears)
            }
        };
        let under_search = Partition {
            client: &client,
            ears: &ears,
            options: &self.options,
            topic,
            partition,
        };
        let found = under_search.find(wanted);
        // A client with an error is not worth its doubts.
        if found.is_ok() {
            let _ = client.unassign();
            *kept = Some((client, ears));
        }
        found
    }
}

impl Partition<'_> {
    fn find(&self, wanted: Standing) -> Result<Found, KafkaError> {
        let patience = Duration::from_millis(self.options.patience_ms.max(1));
        let (low, high) = self
            .client
            .fetch_watermarks(self.topic, self.partition, patience)
            .map_err(|error| self.failure(error))?;
        let end = Found {
            offset: high,
            floor: low >= high,
            some: false,
        };
        let Some((first, standing)) = (if low < high { self.at(low)? } else { None }) else {
            return Ok(end);
        };
        if standing >= wanted {
            return Ok(Found {
                offset: first,
                floor: true,
                some: true,
            });
        }
        match self.at(high - 1)? {
            Some((offset, last)) if last >= wanted => self.narrow(wanted, (first, standing), offset),
            _ => Ok(Found {
                offset: first.max(high - i64::try_from(MAX_PUBLISH).unwrap_or(i64::MAX)),
                floor: false,
                some: true,
            }),
        }
    }

    /// Narrows the ends: a record below the wanted one, and the offset of one at or beyond it.
    fn narrow(
        &self,
        wanted: Standing,
        mut below: (i64, Standing),
        mut beyond: i64,
    ) -> Result<Found, KafkaError> {
        let found = |offset| Found {
            offset,
            floor: false,
            some: true,
        };
        for step in 0..STEPS {
            if beyond - below.0 <= NEAR {
                break;
            }
            let guess = if step % 2 == 0 && below.1.incarnation == wanted.incarnation {
                let ahead = i64::try_from(wanted.position - below.1.position).unwrap_or(i64::MAX);
                below.0.saturating_add(ahead)
            } else {
                below.0 + (beyond - below.0) / 2
            };
            let guess = guess.clamp(below.0 + 1, beyond - 1);
            match self.at(guess)? {
                Some((offset, standing)) if offset < beyond => {
                    if standing == wanted {
                        return Ok(found(offset));
                    }
                    if standing < wanted {
                        below = (offset, standing);
                    } else {
                        beyond = offset;
                    }
                }
                _ => beyond = guess,
            }
        }
        Ok(found(below.0))
    }

    /// The first record at or behind an offset that says where it stands; `None` when there is none.
    fn at(&self, offset: i64) -> Result<Option<(i64, Standing)>, KafkaError> {
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset(self.topic, self.partition, Offset::Offset(offset))
            .map_err(|error| self.failure(error))?;
        self.client.assign(&place).map_err(|error| self.failure(error))?;
        let deadline = Instant::now() + Duration::from_millis(self.options.patience_ms.max(1));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.ears.unanswered(self.options));
            }
            match self.client.poll(left) {
                Some(Ok(message)) if message.offset() >= offset => {
                    if let Some(standing) = Standing::of(&message) {
                        return Ok(Some((message.offset(), standing)));
                    }
                }
                Some(Err(Native::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) => return Err(self.failure(error)),
                Some(Ok(_)) | None => {}
            }
        }
    }

    fn failure(&self, error: Native) -> KafkaError {
        use rdkafka::error::RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                KafkaError::Missing(self.topic.to_owned())
            }
            Some(
                Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::Authentication
                | Code::SSL
                | Code::Resolve,
            ) => self.ears.unanswered(self.options),
            _ => KafkaError::Other {
                doing: "look for a position",
                source: Box::new(error),
            },
        }
    }
}
