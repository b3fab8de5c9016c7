//! The engines of the cluster assembly: where they are and how they are used. Everything that may hold a password is a
//! reference (`file:PATH`, `env:NAME`).
//!
//! Refuses: a cluster without one of its engines, and engines that the embedded assembly would not use.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use vaultstream_event_schemas::{Family, Slug};

/// Which parts fill the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Parts that need no set-up, in one process and one data directory.
    Embedded,
    /// PostgreSQL, Kafka, ScyllaDB and Redis.
    Cluster,
}

/// The assembly.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assembly {
    /// Which one.
    pub kind: Kind,
    /// The installation's name: an engine that another installation has begun to use is refused.
    pub cluster: String,
}

/// Shards of a database of the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum DatabaseShards {
    /// `"all"`.
    Word(String),
    /// Families by name (`core`, `audit`, or a chain's slug), and parts of one: `eth_main:0-3`, `eth_main:4`.
    Parts(Vec<String>),
}

/// A family, and which of its shards; all when absent.
pub type Part = (Family, Option<RangeInclusive<u16>>);

impl DatabaseShards {
    /// The parts; none for all shards.
    pub fn parts(&self) -> Result<Option<Vec<Part>>> {
        match self {
            Self::Word(word) if word == "all" => Ok(None),
            Self::Word(word) => {
                bail!("{word:?} is not \"all\"; a list like [\"core\", \"eth_main:0-3\"] names parts")
            }
            Self::Parts(texts) => texts
                .iter()
                .map(|text| part(text))
                .collect::<Result<_>>()
                .map(Some),
        }
    }
}

fn part(text: &str) -> Result<Part> {
    let (name, range) = text
        .split_once(':')
        .map_or((text, None), |(name, range)| (name, Some(range)));
    let family = match name {
        "core" => Family::Core,
        "audit" => Family::Audit,
        slug => Family::Chain(Slug::try_new(slug).with_context(|| format!("{text:?} names no family"))?),
    };
    let Some(range) = range else {
        return Ok((family, None));
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last => Ok((family, Some(first..=last))),
        _ => bail!(
            "{text:?}: write {name}:FIRST-LAST or {name}:NUMBER, counted from 0, to name some of its shards"
        ),
    }
}

/// A database of the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name in messages and metrics.
    #[serde(default = "Database::name")]
    pub name: String,
    /// A reference to `postgres://user:password@host:port/database`.
    pub url: String,
    /// `"all"`, or a list of families and parts of families.
    #[serde(default = "Database::all")]
    pub shards: DatabaseShards,
}

impl Database {
    fn name() -> String {
        "main".to_owned()
    }
    fn all() -> DatabaseShards {
        DatabaseShards::Word("all".to_owned())
    }
}

/// PostgreSQL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// The databases; the first one also keeps progress and leases.
    pub databases: Vec<Database>,
    /// Where signed checkpoints are kept: a database that keeps no log, best on another server.
    pub checkpoints: CheckpointsDatabase,
}

/// The database of the checkpoints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointsDatabase {
    /// A reference to `postgres://user:password@host:port/database`.
    pub url: String,
}

/// How Kafka is spoken to.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum KafkaSecurity {
    /// In the clear, for one machine.
    Plain,
    /// SASL/SCRAM-SHA-512 inside TLS.
    TlsScram {
        /// The user.
        user: String,
        /// A reference to the password.
        password: String,
        /// A PEM file of who vouches for the brokers; the machine's authorities when absent.
        #[serde(default)]
        ca_file: Option<std::path::PathBuf>,
    },
}

/// Kafka.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port` of some brokers.
    pub bootstrap: Vec<String>,
    /// What every topic begins with.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How brokers are spoken to.
    #[serde(default = "Kafka::plain")]
    pub security: KafkaSecurity,
    /// Copies of each partition of topics that `migrate` makes.
    #[serde(default = "Kafka::replication")]
    pub replication: u16,
    /// Copies that must have a record before it is acknowledged.
    #[serde(default = "Kafka::replication")]
    pub min_insync: u16,
}

impl Kafka {
    fn plain() -> KafkaSecurity {
        KafkaSecurity::Plain
    }
    const fn replication() -> u16 {
        1
    }
}

/// ScyllaDB.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scylla {
    /// `host:port` of some nodes.
    pub nodes: Vec<String>,
    /// What every keyspace begins with.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The data centre whose nodes are asked first.
    #[serde(default)]
    pub datacenter: Option<String>,
    /// Copies by data centre; absent for one copy on a single node.
    #[serde(default)]
    pub replication: BTreeMap<String, u8>,
    /// The user, where the engine asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// A reference to the password.
    #[serde(default)]
    pub password: Option<String>,
}

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// A reference to `redis://…`, or the url itself where it holds no password.
    pub url: String,
    /// What every key begins with.
    #[serde(default = "Redis::prefix")]
    pub prefix: String,
}

impl Redis {
    fn prefix() -> String {
        "vaultstream:".to_owned()
    }
}

/// Where spans go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// An OTLP collector, `http://host:4318`; absent sends nothing.
    pub otlp_endpoint: Option<String>,
    /// The part of requests that is sampled, from 0 to 1.
    pub sample_ratio: f64,
    /// Whether the caller's own choice to sample is followed: only behind a proxy that sets `traceparent` itself.
    pub follows_caller: bool,
    /// What tells this process from others of its role.
    pub instance: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            sample_ratio: 0.05,
            follows_caller: false,
            instance: String::new(),
        }
    }
}

fn prefix() -> String {
    "vaultstream".to_owned()
}

/// The engines as configured.
#[derive(Debug, Clone, Copy)]
pub struct Engines<'a> {
    /// The log.
    pub postgres: &'a Postgres,
    /// The bus.
    pub kafka: &'a Kafka,
    /// The views.
    pub scylla: &'a Scylla,
    /// Cache and shared limits; without it each process counts alone.
    pub redis: Option<&'a Redis>,
}

impl super::Config {
    /// The engines of a cluster, all there.
    pub fn engines(&self) -> Result<Engines<'_>> {
        let missing = |section: &str| {
            anyhow::anyhow!("assembly.kind is \"cluster\" and section [{section}] is missing; add it")
        };
        Ok(Engines {
            postgres: self.postgres.as_ref().ok_or_else(|| missing("postgres"))?,
            kafka: self.kafka.as_ref().ok_or_else(|| missing("kafka"))?,
            scylla: self.scylla.as_ref().ok_or_else(|| missing("scylla"))?,
            redis: self.redis.as_ref(),
        })
    }

    pub(super) fn check_assembly(&self) -> Result<()> {
        if self.assembly.kind == Kind::Cluster {
            let engines = self.engines()?;
            ensure!(
                !engines.postgres.databases.is_empty(),
                "postgres.databases is empty; name at least one"
            );
            ensure!(
                engines
                    .postgres
                    .databases
                    .iter()
                    .all(|log| log.url != engines.postgres.checkpoints.url),
                "postgres.checkpoints: url is that of a database of the log; give checkpoints a database of their own"
            );
            for database in &engines.postgres.databases {
                let parts = database.shards.parts();
                parts.with_context(|| format!("postgres.databases: shards of {}", database.name))?;
            }
            ensure!(
                self.chains
                    .iter()
                    .all(|c| !matches!(c.node, super::NodeConfig::Sandbox { .. })),
                "a sandbox node lives inside one process; give the cluster's chains node.kind = \"evm\" with a url"
            );
            return Ok(());
        }
        for (section, is_there) in [
            ("postgres", self.postgres.is_some()),
            ("kafka", self.kafka.is_some()),
            ("scylla", self.scylla.is_some()),
            ("redis", self.redis.is_some()),
        ] {
            ensure!(
                !is_there,
                "section [{section}] is for assembly.kind = \"cluster\"; set that or remove the section"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(texts: &[&str]) -> Result<Option<Vec<Part>>> {
        DatabaseShards::Parts(texts.iter().map(|text| (*text).to_owned()).collect()).parts()
    }

    #[test]
    fn parts_of_a_family_should_be_read() {
        let chain = || Family::Chain(Slug::try_new("eth_main").expect("a slug"));
        assert_eq!(
            parts(&["core", "eth_main:0-3", "eth_main:7"]).expect("read"),
            Some(vec![
                (Family::Core, None),
                (chain(), Some(0..=3)),
                (chain(), Some(7..=7))
            ])
        );
        assert_eq!(Database::all().parts().expect("read"), None);
    }

    #[test]
    fn parts_that_are_none_should_be_refused_with_their_text() {
        for wrong in [
            "eth_main:",
            "eth_main:3-1",
            "eth_main:a",
            "eth_main:0-70000",
            "eth_main:-1",
            "Core",
            "",
        ] {
            let said = format!("{:#}", parts(&[wrong]).expect_err(wrong));
            assert!(said.contains(&format!("{wrong:?}")), "{said}");
        }
        let said = DatabaseShards::Word("some".to_owned())
            .parts()
            .expect_err("no word")
            .to_string();
        assert!(said.contains("some") && said.contains("all"), "{said}");
    }
}
