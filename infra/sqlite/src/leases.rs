//! Leases of the embedded assembly, in a small file of their own, by this machine's clock.
//!
//! Invariant: a lease changes hands in one statement. A power cut may bring back an older lease, which only delays its
//! next holder. Refuses: names and holders that are empty or over 128 characters, times of nothing or over
//! [`MAX_LEASE`].

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::Connection;
use vaultstream_domain::ports::leases::{LeaseError, MAX_HELD, MAX_LEASE};
use vaultstream_domain::ports::{Leases, wrong_clock};

use crate::database::{FileKind, OpenError, Synchronous};
use crate::small_file::SmallFile;

/// `VSls`.
const KIND: FileKind = FileKind {
    application_id: 0x5653_6c73,
    name: "file of leases",
    migrations: &[
        "CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    ],
};
const ACQUIRE: &str = "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?3 + ?4) \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
     WHERE lease.holder = excluded.holder OR lease.until <= ?3";
const RELEASE: &str = "DELETE FROM lease WHERE name = ?1 AND holder = ?2";
const HELD: &str =
    "SELECT name FROM lease WHERE substr(name, 1, length(?1)) = ?1 AND until > ?2 ORDER BY name LIMIT ?3";
const MAX_NAME: usize = 128;

/// The leases of one installation.
#[derive(Debug, Clone)]
pub struct SqliteLeases(SmallFile);

impl SqliteLeases {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        SmallFile::open(path, &KIND, Synchronous::Normal).map(Self)
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LeaseError> {
        self.0
            .run(work)
            .await
            .map_err(|source| LeaseError { doing, source })
    }
}

/// Microseconds of this machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this adapter is the store whose clock leases and announcements run by"
)]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    micros.saturating_add(wrong_clock::micros())
}

fn check(doing: &'static str, name: &str, holder: &str) -> Result<(), LeaseError> {
    for (field, text) in [("name", name), ("holder", holder)] {
        if text.is_empty() || text.chars().count() > MAX_NAME {
            let source = format!("{field}: choose 1 to {MAX_NAME} characters").into();
            return Err(LeaseError { doing, source });
        }
    }
    Ok(())
}

#[async_trait]
impl Leases for SqliteLeases {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, LeaseError> {
        check("acquired", name, holder)?;
        if ttl.is_zero() || ttl > MAX_LEASE {
            let source = format!("ttl: choose above 0 and at most {} s", MAX_LEASE.as_secs()).into();
            return Err(LeaseError {
                doing: "acquired",
                source,
            });
        }
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        self.run("acquired", move |connection| {
            let changed = connection
                .prepare_cached(ACQUIRE)?
                .execute((name, holder, now(), micros))?;
            Ok(changed == 1)
        })
        .await
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        check("released", name, holder)?;
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.run("released", move |connection| {
            connection
                .prepare_cached(RELEASE)?
                .execute((name, holder))
                .map(|_| ())
        })
        .await
    }

    async fn held(&self, prefix: &str) -> Result<Vec<String>, LeaseError> {
        let prefix = prefix.to_owned();
        let limit = i64::try_from(MAX_HELD).unwrap_or(i64::MAX);
        self.run("listed", move |connection| {
            connection
                .prepare_cached(HELD)?
                .query_map((prefix, now(), limit), |row| row.get(0))?
                .collect()
        })
        .await
    }
}
