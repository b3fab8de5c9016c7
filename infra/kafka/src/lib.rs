//! The cluster's bus and publisher on Apache Kafka.
//!
//! Invariants: a partition is a shard, set explicitly and checked at start; a record is a whole stored event with its
//! hash; the log stays the truth, so everything here may repeat, forget or be away without harm. Refuses: topics whose
//! partitions are not the family's shards, records that do not give their hash, records of a history that was left.
//!
//! librdkafka is built from source and linked statically; on Debian that needs `gcc`, `make`, `pkg-config`,
//! `libssl-dev` and `zlib1g-dev`, and running needs `libssl3` and `zlib1g`. TLS is OpenSSL's, because librdkafka knows no
//! other; SCRAM and LZ4 are its own.

pub mod bus;
mod client;
pub mod error;
pub mod options;
pub mod publisher;
mod record;
pub mod topics;

pub use bus::{KafkaBus, KafkaEcho};
pub use error::KafkaError;
pub use options::{Authority, KafkaOptions, Password, Security};
pub use publisher::KafkaPublisher;
pub use topics::{Topics, check_topics, create_topics};
