//! Finds the offset to read from for a position.
//!
//! Along a partition positions rise by one, and fall back where records repeat. A place where a record below the wanted
//! position is followed by one at or beyond it is a right place to begin, and so is the wanted record itself: from there
//! on everything comes. The search keeps such a pair of ends and narrows it. The distance in positions is a good guess of
//! the distance in offsets, from either end; every third step halves, so bad guesses cost little. Most readers are near
//! the head, so the last record is looked at first, and two looks are often all. Repeats at the very end could hide newer
//! records in front of them; a reader at the head therefore begins one publish in front of the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as Native, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::Semaphore;
use vaultstream_domain::ports::publisher::MAX_PUBLISH;

use crate::client::{Ears, blocking, create};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::record::Standing;

/// Offsets that are read through rather than searched.
const NEAR: i64 = 64;
/// Steps of a search at most; halving alone needs 64.
const STEPS: usize = 192;
/// Searches at a time, each with a client of its own.
const SEARCHES: usize = 4;

/// Where to begin reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: i64,
    /// When that is the topic's first record: the highest position it has nothing at or below of.
    pub(super) floor: Option<u64>,
    /// Whether there is a record at all at or behind it.
    pub(super) some: bool,
}

/// Looks at single records, with clients of its own: looking moves their place.
pub(super) struct Prober {
    config: ClientConfig,
    options: KafkaOptions,
    idle: Mutex<Vec<(BaseConsumer<Ears>, Ears)>>,
    turns: Arc<Semaphore>,
}

/// A record as it was looked at.
#[derive(Debug, Clone, Copy)]
struct Seen {
    offset: i64,
    standing: Standing,
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
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(SEARCHES)),
        }
    }

    /// The place of the first record at or beyond `wanted`.
    pub(super) async fn find(
        self: &Arc<Self>,
        topic: Arc<str>,
        partition: i32,
        wanted: Standing,
    ) -> Result<Found, KafkaError> {
        let turn = self.turns.clone().acquire_owned().await;
        let prober = self.clone();
        blocking("look for a position", move || {
            // Held until the search ends, also when nobody waits for it any more.
            let _turn = turn;
            prober.search(&topic, partition, wanted)
        })
        .await
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(BaseConsumer<Ears>, Ears)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self, topic: &str, partition: i32, wanted: Standing) -> Result<Found, KafkaError> {
        let idle = self.idle().pop();
        let (client, ears) = match idle {
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
        if found.is_ok() && client.unassign().is_ok() {
            self.idle().push((client, ears));
        }
        found
    }
}

impl Seen {
    /// Where the wanted record is if between here and there every record is one position further; nowhere to be guessed
    /// in another life.
    fn guess(&self, wanted: Standing) -> Option<i64> {
        if self.standing.incarnation != wanted.incarnation {
            return None;
        }
        let distance = i64::try_from(self.standing.position.abs_diff(wanted.position)).ok()?;
        if self.standing.position > wanted.position {
            self.offset.checked_sub(distance)
        } else {
            self.offset.checked_add(distance)
        }
    }
}

/// A place that is not the topic's beginning.
const fn found(offset: i64) -> Found {
    Found {
        offset,
        floor: None,
        some: true,
    }
}

impl Partition<'_> {
    fn find(&self, wanted: Standing) -> Result<Found, KafkaError> {
        let (low, high) = self.ends()?;
        if low >= high {
            return Ok(Found {
                offset: high,
                floor: Some(0),
                some: false,
            });
        }
        let last = match self.at(high - 1)? {
            Some(last) if last.standing >= wanted => last,
            _ => {
                return Ok(found(
                    low.max(high - i64::try_from(MAX_PUBLISH).unwrap_or(i64::MAX)),
                ));
            }
        };
        let guess = last.guess(wanted).unwrap_or(low).clamp(low, last.offset);
        if let Some(seen) = self.at(guess)?
            && seen.standing == wanted
        {
            return Ok(found(seen.offset));
        }
        let first = self.at(low)?.unwrap_or(last);
        if first.standing >= wanted {
            let known = first.standing.incarnation == wanted.incarnation;
            return Ok(Found {
                floor: Some(if known { first.standing.position - 1 } else { 0 }),
                ..found(first.offset)
            });
        }
        self.narrow(wanted, first, last)
    }

    /// The topic's first offset and the one behind its last. A partition that was just made, or whose leader moves, says
    /// so for a moment.
    fn ends(&self) -> Result<(i64, i64), KafkaError> {
        let patience = Duration::from_millis(self.options.patience_ms.max(1));
        let deadline = Instant::now() + patience;
        loop {
            let error = match self.client.fetch_watermarks(self.topic, self.partition, patience) {
                Ok(ends) => return Ok(ends),
                Err(error) => error,
            };
            let settles = matches!(
                error.rdkafka_error_code(),
                Some(Code::NotLeaderForPartition | Code::LeaderNotAvailable)
            );
            if !settles || Instant::now() >= deadline {
                return Err(self.failure(error));
            }
            // Nothing is assigned that could come here: this is a pause in which the client is heard.
            let _ = self.client.poll(Duration::from_millis(50));
        }
    }

    /// Narrows the ends: a record below the wanted one, and one at or beyond it.
    fn narrow(&self, wanted: Standing, mut below: Seen, mut beyond: Seen) -> Result<Found, KafkaError> {
        for step in 0..STEPS {
            if beyond.offset - below.offset <= NEAR {
                break;
            }
            let half = below.offset + (beyond.offset - below.offset) / 2;
            let guess = match step % 3 {
                0 => beyond.guess(wanted),
                1 => below.guess(wanted),
                _ => None,
            };
            let guess = guess.unwrap_or(half).clamp(below.offset + 1, beyond.offset - 1);
            match self.at(guess)? {
                Some(seen) if seen.standing == wanted => return Ok(found(seen.offset)),
                Some(seen) if seen.offset >= beyond.offset => beyond.offset = guess,
                Some(seen) if seen.standing < wanted => below = seen,
                Some(seen) => beyond = seen,
                None => beyond.offset = guess,
            }
        }
        Ok(found(below.offset))
    }

    /// The first record at or behind an offset that says where it stands; `None` when there is none.
    fn at(&self, offset: i64) -> Result<Option<Seen>, KafkaError> {
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
                        let offset = message.offset();
                        return Ok(Some(Seen { offset, standing }));
                    }
                }
                Some(Err(Native::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) => return Err(self.failure(error)),
                Some(Ok(_)) | None => {}
            }
        }
    }

    fn failure(&self, error: Native) -> KafkaError {
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
