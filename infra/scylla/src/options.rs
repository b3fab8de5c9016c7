//! How the engine is reached and used.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use scylla::statement::Consistency;
use vaultstream_event_schemas::Family;

use crate::OpenError;

/// The longest prefix: with a family's name of at most 20 and a line it has to stay within the 48 characters that
/// Apache Cassandra allows a keyspace.
const MAX_PREFIX: usize = 20;

/// Who this is.
#[derive(Clone)]
pub struct Credentials {
    /// The role.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credentials");
        shown.field("user", &self.user).finish_non_exhaustive()
    }
}

/// How keyspaces are replicated when they are made; what is there already is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replication {
    /// `SimpleStrategy` with so many copies: one data centre, tests.
    Simple(u8),
    /// `NetworkTopologyStrategy`: copies by data centre.
    Networks(BTreeMap<String, u8>),
}

/// How many copies answer before a read or a write counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewConsistency {
    /// A majority in the local data centre: folds read what was written, whatever node fails.
    LocalQuorum,
    /// A majority over all data centres.
    Quorum,
}

impl From<ViewConsistency> for Consistency {
    fn from(consistency: ViewConsistency) -> Self {
        match consistency {
            ViewConsistency::LocalQuorum => Self::LocalQuorum,
            ViewConsistency::Quorum => Self::Quorum,
        }
    }
}

/// Tables whose first clustering column has this name are cut into partitions by ranges of its value. A table keeps the
/// width it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketWidth {
    /// The column's name.
    pub column: &'static str,
    /// Values of a bucket; at least 1.
    pub width: u64,
}

/// A day in microseconds.
const DAY_US: u64 = 24 * 3_600 * 1_000_000;

/// Positions are dense, so a bucket of positions holds at most 10,000 rows; times are cut by days.
pub const DEFAULT_BUCKETS: [BucketWidth; 2] = [
    BucketWidth {
        column: "position",
        width: 10_000,
    },
    BucketWidth {
        column: "created",
        width: DAY_US,
    },
];

/// How the engine is reached and used.
#[derive(Debug, Clone)]
pub struct ScyllaOptions {
    /// `host:port` of some nodes, 1 to 64; the others are found.
    pub nodes: Vec<String>,
    /// Who this is; none where the engine asks nobody.
    pub credentials: Option<Credentials>,
    /// In front of every keyspace, `[a-z][a-z0-9_]{0,19}`.
    pub prefix: String,
    /// The families, each with a keyspace of its own.
    pub families: Vec<Family>,
    /// Copies of keyspaces that are made.
    pub replication: Replication,
    /// Make missing keyspaces; false where somebody else does.
    pub create_keyspaces: bool,
    /// The data centre whose nodes are asked first.
    pub datacenter: Option<String>,
    /// How many copies answer.
    pub consistency: ViewConsistency,
    /// How long one statement may take, retries included; 100 ms to 60 s.
    pub timeout: Duration,
    /// After how long a second node is asked, too; none never does.
    pub speculate_after: Option<Duration>,
    /// Statements of writes on their way at once, 1 to 1,024.
    pub in_flight: usize,
    /// How tables are cut into partitions.
    pub buckets: Vec<BucketWidth>,
    /// Memory that one dump may hold rows in, in bytes; at least 1 MiB. Less means more passes over the table.
    pub dump_bytes: usize,
}

impl ScyllaOptions {
    /// One copy, no credentials: a laptop and tests.
    pub fn new(nodes: Vec<String>, prefix: impl Into<String>, families: Vec<Family>) -> Self {
        Self {
            nodes,
            credentials: None,
            prefix: prefix.into(),
            families,
            replication: Replication::Simple(1),
            create_keyspaces: true,
            datacenter: None,
            consistency: ViewConsistency::LocalQuorum,
            timeout: Duration::from_secs(10),
            speculate_after: Some(Duration::from_millis(200)),
            in_flight: 128,
            buckets: DEFAULT_BUCKETS.to_vec(),
            dump_bytes: 128 << 20,
        }
    }

    /// The keyspace of a family.
    pub(crate) fn keyspace(&self, family: &Family) -> String {
        format!("{}_{family}", self.prefix)
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let refuse = |field, problem: &str| {
            let problem = problem.to_owned();
            Err(OpenError::Setting { field, problem })
        };
        if self.nodes.is_empty() || self.nodes.len() > 64 {
            return refuse("nodes", "name 1 to 64 of them as host:port");
        }
        if !is_word(&self.prefix, MAX_PREFIX) {
            return refuse(
                "prefix",
                "use 1 to 20 characters a-z 0-9 _ that begin with a letter",
            );
        }
        if self.families.is_empty() {
            return refuse("families", "there is none to serve");
        }
        match &self.replication {
            Replication::Simple(1..=9) => {}
            Replication::Networks(copies) if is_replicated(copies) => {}
            _ => return refuse("replication", "1 to 9 copies in each data centre, by its name"),
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&self.timeout) {
            return refuse("timeout", "use 100 ms to 60 s");
        }
        if !(1..=1_024).contains(&self.in_flight) {
            return refuse("in_flight", "use 1 to 1024");
        }
        if self.buckets.iter().any(|b| b.width == 0) {
            return refuse("buckets", "a bucket holds at least one value");
        }
        if self.dump_bytes < 1 << 20 {
            return refuse("dump_bytes", "use at least 1 MiB");
        }
        Ok(())
    }
}

fn is_replicated(copies: &BTreeMap<String, u8>) -> bool {
    // A name stands inside quotes of the statement that makes a keyspace.
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-. ".contains(&b))
    };
    !copies.is_empty()
        && copies
            .iter()
            .all(|(name, n)| is_name(name) && (1..=9).contains(n))
}

/// Whether a word is fit for names in statements.
pub(crate) fn is_word(word: &str, longest: usize) -> bool {
    (1..=longest).contains(&word.len())
        && word.as_bytes()[0].is_ascii_lowercase()
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !word.contains("__")
}
