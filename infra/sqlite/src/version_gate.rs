//! The gate of event versions of the embedded assembly, in a small file of its own, by this machine's clock.
//!
//! Invariant: an announcement is one transaction, forced to the disk, so what may be written is known after a power cut.
//! Refuses: what [`check`](vaultstream_domain::ports::version_gate::check) refuses.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use vaultstream_domain::ports::VersionGate;
use vaultstream_domain::ports::version_gate::{VersionGateError, check};
use vaultstream_event_schemas::Versions;

use crate::database::{FileKind, OpenError, Synchronous};
use crate::leases::now;
use crate::small_file::SmallFile;

/// `VSvg`.
const KIND: FileKind = FileKind {
    application_id: 0x5653_7667,
    name: "file of event versions",
    migrations: &[
        "CREATE TABLE process (name TEXT PRIMARY KEY, reads TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE event_version (event_type TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    ],
};

/// The gate of one installation.
#[derive(Debug, Clone)]
pub struct SqliteVersionGate(SmallFile);

impl SqliteVersionGate {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        SmallFile::open(path, &KIND, Synchronous::Full).map(Self)
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, VersionGateError> {
        self.0
            .run(work)
            .await
            .map_err(|source| VersionGateError { doing, source })
    }
}

fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

/// What everybody who is announced reads.
fn common(connection: &Connection) -> rusqlite::Result<Versions> {
    let mut query = connection.prepare_cached("SELECT reads FROM process")?;
    let all = query.query_map([], |row| {
        let text: String = row.get(0)?;
        serde_json::from_str::<Versions>(&text).map_err(unreadable)
    })?;
    let all: Vec<Versions> = all.collect::<rusqlite::Result<_>>()?;
    Ok(Versions::common(&all))
}

fn written(connection: &Connection) -> rusqlite::Result<Versions> {
    let mut query = connection.prepare_cached("SELECT event_type, version FROM event_version")?;
    let all = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    all.collect()
}

#[async_trait]
impl VersionGate for SqliteVersionGate {
    async fn announce(
        &self,
        process: &str,
        reads: &Versions,
        ttl: Duration,
    ) -> Result<Versions, VersionGateError> {
        check(process, reads, ttl)?;
        let text = serde_json::to_string(reads).map_err(|error| VersionGateError {
            doing: "announced",
            source: error.into(),
        })?;
        let (process, micros) = (
            process.to_owned(),
            i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX),
        );
        self.run("announced", move |connection| {
            let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            let now = now();
            step.prepare_cached("DELETE FROM process WHERE until <= ?1")?
                .execute([now])?;
            step.prepare_cached("INSERT OR REPLACE INTO process (name, reads, until) VALUES (?1, ?2, ?3)")?
                .execute((process, text, now.saturating_add(micros)))?;
            let (mut open, common) = (written(&step)?, common(&step)?);
            for (event_type, version) in common.iter().filter(|(t, v)| open.of(t) < *v) {
                step.prepare_cached(
                    "INSERT OR REPLACE INTO event_version (event_type, version) VALUES (?1, ?2)",
                )?
                .execute((event_type, version))?;
            }
            open.raise_all(&common);
            step.commit()?;
            Ok(open)
        })
        .await
    }

    async fn retire(&self, process: &str) -> Result<(), VersionGateError> {
        let process = process.to_owned();
        self.run("retired", move |connection| {
            connection
                .prepare_cached("DELETE FROM process WHERE name = ?1")?
                .execute([process])
                .map(|_| ())
        })
        .await
    }
}
