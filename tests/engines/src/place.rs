//! Where a fetched engine lies: a directory named after the digest of the Maven project that names its version.
//!
//! The project is compiled into this crate, so that a test and the fetcher cannot disagree about the version, and
//! a changed version never finds the old engine.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::env;
use std::path::{Path, PathBuf};

/// An engine that comes from Maven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// A directory with `bin/postgres`.
    Postgres,
    /// A directory of jars.
    Kafka,
    /// A directory of jars.
    Cassandra,
}

impl Set {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Kafka, Self::Cassandra];

    /// Its folder under `xtask/maven/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Cassandra => "cassandra",
        }
    }

    /// How people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Kafka => "Apache Kafka",
            Self::Cassandra => "Apache Cassandra",
        }
    }

    /// The Maven project that names the version.
    #[must_use]
    pub fn pom(self) -> &'static str {
        match self {
            Self::Postgres => include_str!("../../../xtask/maven/postgres/pom.xml"),
            Self::Kafka => include_str!("../../../xtask/maven/kafka/pom.xml"),
            Self::Cassandra => include_str!("../../../xtask/maven/cassandra/pom.xml"),
        }
    }

    /// Its directory below `home`, whether it is there or not.
    #[must_use]
    pub fn place_in(self, home: &Path) -> PathBuf {
        let hash = Sha256::digest(self.pom());
        let digits: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        home.join(format!("{}-{digits}", self.name()))
    }

    /// Its directory below `home`, which must be there.
    pub(crate) fn find_in(self, home: &Path) -> Result<PathBuf> {
        let place = self.place_in(home);
        if place.is_dir() {
            return Ok(place);
        }
        bail!(
            "{} is not at {}: fetch it with `cargo xtask engines`, or name another directory in VAULTSTREAM_ENGINES",
            self.title(),
            place.display()
        )
    }

    pub(crate) fn find(self) -> Result<PathBuf> {
        self.find_in(&home()?)
    }
}

/// The directory that holds all fetched engines: `VAULTSTREAM_ENGINES`, else `~/.cache/vaultstream/engines`.
///
/// # Errors
/// Neither that variable nor `HOME` is set, or the variable is a relative path, which would mean another place in
/// each crate's tests.
pub fn home() -> Result<PathBuf> {
    if let Some(given) = env::var_os("VAULTSTREAM_ENGINES").map(PathBuf::from) {
        if given.is_absolute() {
            return Ok(given);
        }
        bail!(
            "VAULTSTREAM_ENGINES is `{}`: give an absolute path, tests start in several directories",
            given.display()
        );
    }
    let home = env::var_os("HOME").context("neither VAULTSTREAM_ENGINES nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/vaultstream/engines"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_directory_should_be_named_with_the_remedy() {
        let empty = tempfile::tempdir().expect("temp dir");
        for set in Set::ALL {
            let error = set
                .find_in(empty.path())
                .expect_err("nothing is there")
                .to_string();
            assert!(error.contains(set.title()), "{error}");
            assert!(error.contains("cargo xtask engines"), "{error}");
            assert!(error.contains("VAULTSTREAM_ENGINES"), "{error}");
            assert!(error.contains(&*empty.path().to_string_lossy()), "{error}");
        }
    }

    #[test]
    fn places_should_differ_and_be_found_once_there() {
        let home = tempfile::tempdir().expect("temp dir");
        let places = Set::ALL.map(|set| set.place_in(home.path()));
        assert!(places[0] != places[1] && places[1] != places[2]);
        std::fs::create_dir(&places[1]).expect("makes it");
        assert_eq!(Set::Kafka.find_in(home.path()).expect("there"), places[1]);
    }
}
