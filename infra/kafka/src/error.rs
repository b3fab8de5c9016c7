//! Why Kafka cannot be used, in words that name the remedy. Passwords never stand in them.

use std::error::Error;

/// What became of the last attempt to speak to the brokers, as librdkafka tells it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Heard(pub String);

/// Why Kafka cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// A setting has no meaning.
    #[error("kafka {field}: {problem}")]
    Option {
        /// The setting.
        field: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// librdkafka refuses the settings.
    #[error("kafka settings are refused: {0}")]
    Refused(String),
    /// No broker answers.
    #[error(
        "no broker of {bootstrap} answers; check bootstrap, that a broker runs there, and whether it demands TLS"
    )]
    Unreachable {
        /// The servers that were tried.
        bootstrap: String,
        /// What was heard last.
        #[source]
        heard: Option<Heard>,
    },
    /// The broker does not take the user or the password.
    #[error("the brokers of {bootstrap} refuse user {user}; check security.user and security.password")]
    Credentials {
        /// The servers that were tried.
        bootstrap: String,
        /// Who asked.
        user: String,
        /// What was heard last.
        #[source]
        heard: Heard,
    },
    /// The broker's certificate is not trusted, or it speaks no TLS.
    #[error(
        "the TLS connection to {bootstrap} is not trusted; security.authority must hold the certificate that signed the brokers', and their names must stand in it"
    )]
    Tls {
        /// The servers that were tried.
        bootstrap: String,
        /// What was heard last.
        #[source]
        heard: Heard,
    },
    /// A topic is missing.
    #[error("topic {0} is missing; `vaultstream serve --role migrate` makes it")]
    Missing(String),
    /// A topic has another number of partitions than its family has shards.
    #[error(
        "topic {topic} has {found} partitions and its family has {wanted} shards, which must be equal and never change; choose another prefix, or delete the topic and run `vaultstream serve --role migrate`: the log fills it again"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// Partitions it has.
        found: usize,
        /// Shards of the family.
        wanted: usize,
    },
    /// The broker does not make or describe a topic.
    #[error("topic {topic} cannot be {doing}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// What was asked for.
        doing: &'static str,
        /// What the broker says.
        reason: String,
    },
    /// The log or the machine failed meanwhile.
    #[error("kafka cannot {doing}")]
    Other {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
