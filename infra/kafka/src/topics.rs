//! Which topic and partition a shard is, and whether the brokers agree.
//!
//! A family has two topics with a partition a shard: `<prefix>.<family>.events` with whole stored events for our own
//! consumers, `<prefix>.public.<family>` with public events for integrators. Refuses: a topic that is missing, or whose
//! partitions are not the family's shards; a partition count never changes, because it is what a shard is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::{Metadata, MetadataTopic};
use vaultstream_event_schemas::{Registry, ShardNumber};

use crate::client::{Ears, blocking, create};
use crate::error::KafkaError;
use crate::options::KafkaOptions;

/// The largest record, in bytes, headers included.
pub const MAX_RECORD: u32 = 4 << 20;

/// How long the brokers are asked at a time.
const SLICE: Duration = Duration::from_secs(1);
/// How long a refusal has to last: one of several servers may be wrong, and the others right.
const LASTING: Duration = Duration::from_secs(3);

/// Where the records of a shard are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) events: Arc<str>,
    pub(crate) public: Arc<str>,
    pub(crate) partition: i32,
}

/// The topics of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    routes: Vec<Route>,
    /// Name and partitions of each topic.
    named: Vec<(Arc<str>, i32)>,
}

impl Topics {
    /// The topics of all families of a registry.
    ///
    /// # Errors
    /// Two families would share a topic.
    pub fn try_new(prefix: &str, registry: &Registry) -> Result<Self, KafkaError> {
        let mut routes: Vec<Route> = Vec::with_capacity(registry.entries().len());
        let mut named: Vec<(Arc<str>, i32)> = Vec::new();
        for entry in registry.entries() {
            let events: Arc<str> = format!("{prefix}.{}.events", entry.family).into();
            let public: Arc<str> = format!("{prefix}.public.{}", entry.family).into();
            if entry.k == 0 {
                let partitions = i32::from(registry.count(&entry.family));
                named.extend([(events.clone(), partitions), (public.clone(), partitions)]);
            }
            routes.push(Route {
                events,
                public,
                partition: i32::from(entry.k),
            });
        }
        // Kafka's own metrics do not tell `.` from `_`, and it refuses topics that only differ there.
        let mut seen = BTreeSet::new();
        if let Some((twice, _)) = named
            .iter()
            .find(|(name, _)| !seen.insert(name.replace('.', "_")))
        {
            return Err(KafkaError::Option {
                field: "prefix",
                problem: format!("two families would share topic {twice}; rename a chain's slug"),
            });
        }
        Ok(Self { routes, named })
    }

    pub(crate) fn route(&self, shard: ShardNumber) -> Option<&Route> {
        self.routes.get(usize::from(shard.0))
    }

    /// Name and partitions of each topic, in the registry's order.
    pub fn named(&self) -> impl Iterator<Item = (&str, i32)> {
        self.named.iter().map(|(name, partitions)| (&**name, *partitions))
    }
}

/// Whether every topic exists with exactly as many partitions as its family has shards.
///
/// # Errors
/// Nobody answers, or not to us, or a topic is not as it must be; all with the remedy.
pub async fn check_topics(options: &KafkaOptions, registry: &Registry) -> Result<(), KafkaError> {
    let topics = Topics::try_new(&options.prefix, registry)?;
    for found in describe(options, &topics).await? {
        match found {
            Found::Right => {}
            Found::Missing(topic) => return Err(KafkaError::Missing(topic)),
            Found::Other(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the topics that are missing; those that exist must be right. Running it twice, or twice at once, is fine.
///
/// # Errors
/// As [`check_topics`], or the brokers refuse to make one.
pub async fn create_topics(options: &KafkaOptions, registry: &Registry) -> Result<(), KafkaError> {
    let topics = Topics::try_new(&options.prefix, registry)?;
    let mut missing = Vec::new();
    for found in describe(options, &topics).await? {
        match found {
            Found::Right => {}
            Found::Missing(topic) => missing.push(topic),
            Found::Other(error) => return Err(error),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (retention, largest) = (options.retention_ms.to_string(), MAX_RECORD.to_string());
    let in_sync = options.min_insync.to_string();
    let wanted: Vec<_> = topics
        .named()
        .filter(|(name, _)| missing.iter().any(|m| m == name))
        .map(|(name, partitions)| {
            NewTopic::new(
                name,
                partitions,
                TopicReplication::Fixed(i32::from(options.replication)),
            )
            .set("cleanup.policy", "delete")
            .set("retention.ms", &retention)
            .set("min.insync.replicas", &in_sync)
            .set("max.message.bytes", &largest)
        })
        .collect();
    let ears = Ears::default();
    let admin: AdminClient<Ears> = create(&options.client()?, ears.clone())?;
    let patience = Duration::from_millis(options.patience_ms.max(1));
    let ask = AdminOptions::new()
        .operation_timeout(Some(patience))
        .request_timeout(Some(patience));
    let answers = admin
        .create_topics(&wanted, &ask)
        .await
        .map_err(|_| ears.unanswered(options))?;
    for answer in answers {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(KafkaError::Topic {
                    topic,
                    doing: "made",
                    reason: code.to_string(),
                });
            }
        }
    }
    appear(options, registry).await
}

/// Brokers learn of a new topic one after the other.
async fn appear(options: &KafkaOptions, registry: &Registry) -> Result<(), KafkaError> {
    let deadline = Instant::now() + Duration::from_millis(options.patience_ms);
    loop {
        match check_topics(options, registry).await {
            Err(KafkaError::Missing(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            done => return done,
        }
    }
}

enum Found {
    Right,
    Missing(String),
    Other(KafkaError),
}

async fn describe(options: &KafkaOptions, topics: &Topics) -> Result<Vec<Found>, KafkaError> {
    let ears = Ears::default();
    let config = options.client()?;
    let (options, named) = (options.clone(), topics.named.clone());
    blocking("look at topics", move || {
        let consumer: BaseConsumer<Ears> = create(&config, ears.clone())?;
        let found = named.iter().map(|(topic, wanted)| {
            let metadata = metadata(&consumer, &ears, &options, topic)?;
            let described = metadata.topics().iter().find(|t| t.name() == &**topic);
            Ok(judge(topic, *wanted, described))
        });
        found.collect()
    })
    .await
}

/// What the brokers say about a topic. A refusal that lasts is not waited out: secrets do not get right by patience.
fn metadata(
    consumer: &BaseConsumer<Ears>,
    ears: &Ears,
    options: &KafkaOptions,
    topic: &str,
) -> Result<Metadata, KafkaError> {
    let patience = Duration::from_millis(options.patience_ms.max(1));
    let begun = Instant::now();
    loop {
        let slice = patience.saturating_sub(begun.elapsed()).min(SLICE);
        if let Ok(metadata) = consumer.fetch_metadata(Some(topic), slice) {
            return Ok(metadata);
        }
        // Errors of the connection come as events of the client, which somebody has to ask for.
        let mut events = 0..100;
        while events.next().is_some() && consumer.poll(Duration::from_millis(10)).is_some() {}
        let refused = ears.has_cause() && begun.elapsed() >= LASTING;
        if refused || begun.elapsed() >= patience {
            return Err(ears.unanswered(options));
        }
    }
}

fn judge(topic: &str, wanted: i32, described: Option<&MetadataTopic>) -> Found {
    let Some(described) = described else {
        return Found::Missing(topic.to_owned());
    };
    if let Some(error) = described.error() {
        return match RDKafkaErrorCode::from(error) {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                Found::Missing(topic.to_owned())
            }
            other => Found::Other(KafkaError::Topic {
                topic: topic.to_owned(),
                doing: "described",
                reason: other.to_string(),
            }),
        };
    }
    let (found, wanted) = (described.partitions().len(), usize::try_from(wanted).unwrap_or(0));
    if found == 0 {
        return Found::Missing(topic.to_owned());
    }
    if found == wanted {
        return Found::Right;
    }
    Found::Other(KafkaError::Partitions {
        topic: topic.to_owned(),
        found,
        wanted,
    })
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::{Family, Slug};

    use super::*;

    fn chain(slug: &str) -> Family {
        Family::Chain(Slug::try_new(slug).expect("a slug"))
    }

    #[test]
    fn shards_should_be_partitions_of_their_family() {
        let registry =
            Registry::try_new(&[(Family::Core, 2), (Family::Audit, 1), (chain("eth"), 3)]).expect("valid");
        let topics = Topics::try_new("vs", &registry).expect("valid");
        let route = topics.route(ShardNumber(5)).expect("registered");
        assert_eq!(
            (&*route.events, &*route.public, route.partition),
            ("vs.eth.events", "vs.public.eth", 2)
        );
        assert_eq!(topics.route(ShardNumber(6)), None);
        let named: Vec<_> = topics.named().collect();
        assert_eq!(named[0], ("vs.core.events", 2));
        assert_eq!(named[5], ("vs.public.eth", 3));
    }

    #[test]
    fn families_should_not_share_a_topic() {
        let registry = Registry::try_new(&[(chain("public"), 1), (chain("events"), 1)]).expect("valid");
        let refused = Topics::try_new("vs", &registry).expect_err("they collide");
        assert!(refused.to_string().contains("vs.public.events"), "{refused}");
    }
}
