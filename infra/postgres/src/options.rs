//! How the databases are configured, and what is wrong with a configuration before anybody is asked.
//!
//! Invariant: every shard of the registry has exactly one database. A url may hold a password, so it is left out of
//! every printed form.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use vaultstream_domain::ports::Clock;
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{Family, Registry};

use crate::database::Migrate;
use crate::error::OpenError;

/// Positions of a shard in one segment of the event table: with 16 shards about 33 million rows.
pub const SEGMENT: u64 = 1 << 21;
/// Connections of one kind to one database at most.
const MAX_CONNECTIONS: u32 = 64;

/// A family of shards, or some of them by their index in it: all databases of a log together keep each shard once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The family.
    pub family: Family,
    /// Which of its shards; all of them when absent.
    pub k: Option<RangeInclusive<u16>>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.k {
            None => write!(f, "{}", self.family),
            Some(k) => write!(f, "{}:{}-{}", self.family, k.start(), k.end()),
        }
    }
}

impl Part {
    /// What a registry says against it.
    fn problem(&self, registry: &Registry) -> Option<String> {
        let count = registry.count(&self.family);
        if count == 0 {
            let mut known: Vec<_> = registry.entries().iter().map(|e| e.family.to_string()).collect();
            known.dedup();
            return Some(format!("{self} is of no family; there are {}", known.join(", ")));
        }
        let k = self.k.as_ref()?;
        let is_there = k.start() <= k.end() && *k.end() < count;
        (!is_there).then(|| {
            format!(
                "{self} is no part of {}, which has {count} shards from 0",
                self.family
            )
        })
    }
}

/// Which shards a database keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shards {
    /// All of them.
    All,
    /// Those of these parts.
    Parts(Vec<Part>),
}

impl Shards {
    /// Those of whole families.
    pub fn families(families: impl IntoIterator<Item = Family>) -> Self {
        let whole = |family| Part { family, k: None };
        Self::Parts(families.into_iter().map(whole).collect())
    }

    /// Whether a shard of the registry is among them.
    pub fn hold(&self, shard: &ShardEntry) -> bool {
        let holds = |part: &Part| {
            part.family == shard.family && part.k.as_ref().is_none_or(|range| range.contains(&shard.k))
        };
        match self {
            Self::All => true,
            Self::Parts(parts) => parts.iter().any(holds),
        }
    }

    fn problem(&self, registry: &Registry) -> Option<String> {
        match self {
            Self::All => None,
            Self::Parts(parts) => parts.iter().find_map(|part| part.problem(registry)),
        }
    }
}

/// One database.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// Its name in messages and metrics, 1 to 64 characters.
    pub name: String,
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// What it keeps.
    pub shards: Shards,
    /// Connections that append; a batch in flight needs one. 1 to 64.
    pub append_connections: u32,
    /// Connections that read. 1 to 64.
    pub read_connections: u32,
    /// How long an append may take, waiting for its shards included.
    pub append_timeout: Duration,
    /// How long a read may take.
    pub read_timeout: Duration,
}

impl DatabaseConfig {
    /// A database that keeps all shards.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            shards: Shards::All,
            append_connections: 6,
            read_connections: 8,
            append_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
        }
    }

    /// The same database for these shards only.
    #[must_use]
    pub fn keeping(self, shards: Shards) -> Self {
        Self { shards, ..self }
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("name", &self.name)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

/// How a log is opened.
#[derive(Clone)]
pub struct PgLogOptions {
    /// The name of this installation; a database that another one has begun is refused. 1 to 64 characters.
    pub cluster: String,
    /// The databases; the first one also keeps progress and leases.
    pub databases: Vec<DatabaseConfig>,
    /// Families and their counts of shards, in order of numbering. New families are added to an existing log.
    pub families: Vec<(Family, u16)>,
    /// The clock of this process.
    pub clock: Arc<dyn Clock>,
    /// Whether the schema may be changed.
    pub migrate: Migrate,
    /// How often other processes' appends are looked for while somebody waits.
    pub poll: Duration,
    /// Positions of a segment, fixed when a database is first used.
    pub segment: u64,
}

impl PgLogOptions {
    /// A log that may change its schema and looks for others' appends every five milliseconds.
    pub fn new(
        cluster: impl Into<String>,
        databases: Vec<DatabaseConfig>,
        families: Vec<(Family, u16)>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            cluster: cluster.into(),
            databases,
            families,
            clock,
            migrate: Migrate::Apply,
            poll: Duration::from_millis(5),
            segment: SEGMENT,
        }
    }

    /// Refuses what no database could make right.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        name("cluster", &self.cluster)?;
        if self.databases.is_empty() {
            return Err(fault("databases", "none is given; name at least one"));
        }
        if self.poll.is_zero() || self.poll > Duration::from_secs(1) {
            return Err(fault("poll", "choose above 0 and at most 1 s"));
        }
        if self.segment == 0 || self.segment > 1 << 40 {
            return Err(fault("segment", "choose 1 to 2^40 positions"));
        }
        for (i, database) in self.databases.iter().enumerate() {
            let field = |field: &str| format!("databases[{i}].{field}");
            name(&field("name"), &database.name)?;
            if self.databases[..i].iter().any(|d| d.name == database.name) {
                return Err(fault(
                    field("name"),
                    "another database has this name; choose a different one",
                ));
            }
            for (which, count) in [
                ("append_connections", database.append_connections),
                ("read_connections", database.read_connections),
            ] {
                if count == 0 || count > MAX_CONNECTIONS {
                    return Err(fault(field(which), format!("choose 1 to {MAX_CONNECTIONS}")));
                }
            }
            for (which, timeout) in [
                ("append_timeout", database.append_timeout),
                ("read_timeout", database.read_timeout),
            ] {
                if timeout < Duration::from_millis(100) || timeout > Duration::from_secs(600) {
                    return Err(fault(field(which), "choose 100 ms to 10 minutes"));
                }
            }
        }
        Ok(())
    }

    /// The database of every shard, in order of number.
    pub(crate) fn place(&self, registry: &Registry) -> Result<Vec<usize>, OpenError> {
        for (i, database) in self.databases.iter().enumerate() {
            if let Some(problem) = database.shards.problem(registry) {
                return Err(fault(format!("databases[{i}].shards"), problem));
            }
        }
        let mut homes = Vec::with_capacity(registry.entries().len());
        for entry in registry.entries() {
            let mut holding = self.databases.iter().enumerate();
            let mut holding = holding.by_ref().filter(|(_, d)| d.shards.hold(entry));
            let shard = format!("shard {} ({} {})", entry.number, entry.family, entry.k);
            let Some((home, first)) = holding.next() else {
                return Err(fault(
                    "databases",
                    format!("{shard} is in none of them; add it to one"),
                ));
            };
            if let Some((_, second)) = holding.next() {
                let both = format!(
                    "{shard} is in {} and in {}; leave it in one",
                    first.name, second.name
                );
                return Err(fault("databases", both));
            }
            homes.push(home);
        }
        Ok(homes)
    }
}

impl fmt::Debug for PgLogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgLogOptions")
            .field("cluster", &self.cluster)
            .field("databases", &self.databases)
            .field("families", &self.families)
            .finish_non_exhaustive()
    }
}

fn fault(field: impl Into<String>, fault: impl Into<String>) -> OpenError {
    OpenError::Configuration {
        field: field.into(),
        fault: fault.into(),
    }
}

fn name(field: &str, name: &str) -> Result<(), OpenError> {
    if name.is_empty() || name.chars().count() > 64 {
        return Err(fault(field, "choose 1 to 64 characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vaultstream_domain::ports::conformance::sample;
    use vaultstream_event_schemas::Slug;
    use vaultstream_infra_runtime::SystemClock;

    fn options(databases: Vec<DatabaseConfig>) -> PgLogOptions {
        PgLogOptions::new("test", databases, sample::families(), Arc::new(SystemClock))
    }

    fn registry() -> Registry {
        Registry::try_new(&sample::families()).expect("valid")
    }

    fn chain() -> Family {
        sample::families()[2].0.clone()
    }

    /// Two databases that keep these parts.
    fn placed(a: Shards, b: Shards) -> Result<Vec<usize>, String> {
        let (first, second) = (DatabaseConfig::new("a", ""), DatabaseConfig::new("b", ""));
        let options = options(vec![first.keeping(a), second.keeping(b)]);
        options.place(&registry()).map_err(|refused| refused.to_string())
    }

    /// `core` and `audit` whole, and a part of the chain.
    fn most(k: RangeInclusive<u16>) -> Shards {
        let whole = |family| Part { family, k: None };
        let (family, k) = (chain(), Some(k));
        Shards::Parts(vec![
            whole(Family::Core),
            whole(Family::Audit),
            Part { family, k },
        ])
    }

    fn some(family: Family, k: RangeInclusive<u16>) -> Shards {
        Shards::Parts(vec![Part { family, k: Some(k) }])
    }

    #[test]
    fn shards_should_be_placed_by_family_and_by_part_of_one() {
        let families = Shards::families([Family::Core, Family::Audit]);
        assert_eq!(
            placed(families, Shards::families([chain()])),
            Ok(vec![0, 0, 0, 1, 1])
        );
        assert_eq!(placed(most(0..=0), some(chain(), 1..=1)), Ok(vec![0, 0, 0, 0, 1]));
    }

    #[test]
    fn gaps_overlaps_and_strangers_should_be_named() {
        let backwards = RangeInclusive::new(1, 0);
        let stranger = Family::Chain(Slug::try_new("btc_main").expect("a slug"));
        for (a, b, words) in [
            (
                most(0..=0),
                some(chain(), 0..=1),
                "shard 3 (eth_test 0) is in a and in b; leave it in one",
            ),
            (
                Shards::All,
                some(chain(), 1..=1),
                "shard 4 (eth_test 1) is in a and in b",
            ),
            (
                most(0..=0),
                Shards::Parts(Vec::new()),
                "shard 4 (eth_test 1) is in none of them; add it to one",
            ),
            (
                most(0..=0),
                some(chain(), 1..=2),
                "databases[1].shards: eth_test:1-2 is no part of eth_test, which has 2 shards from 0",
            ),
            (
                most(0..=1),
                some(chain(), backwards),
                "eth_test:1-0 is no part of eth_test",
            ),
            (
                most(0..=1),
                some(stranger, 0..=0),
                "btc_main:0-0 is of no family; there are core, audit, eth_test",
            ),
        ] {
            let said = placed(a, b).expect_err(words);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn faults_should_name_their_field() {
        let database = || DatabaseConfig::new("a", "postgres://u:secret@h/d");
        let bad = [
            (options(vec![]), "databases"),
            (
                PgLogOptions {
                    cluster: String::new(),
                    ..options(vec![database()])
                },
                "cluster",
            ),
            (
                PgLogOptions {
                    poll: Duration::ZERO,
                    ..options(vec![database()])
                },
                "poll",
            ),
            (
                PgLogOptions {
                    segment: 0,
                    ..options(vec![database()])
                },
                "segment",
            ),
            (options(vec![database(), database()]), "databases[1].name"),
            (
                options(vec![DatabaseConfig {
                    read_connections: 65,
                    ..database()
                }]),
                "databases[0].read_connections",
            ),
            (
                options(vec![DatabaseConfig {
                    append_timeout: Duration::ZERO,
                    ..database()
                }]),
                "databases[0].append_timeout",
            ),
        ];
        for (options, field) in bad {
            let said = options.check().expect_err(field).to_string();
            assert!(said.starts_with(&format!("{field}: ")), "{said}");
        }
        options(vec![database()]).check().expect("nothing is wrong");
    }

    #[test]
    fn printed_forms_should_keep_the_url_to_themselves() {
        let options = options(vec![DatabaseConfig::new("a", "postgres://u:hunter2@h/d")]);
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
