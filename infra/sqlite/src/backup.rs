//! Copying a log's file beside the product that writes it, and filling a new one.
//!
//! The source opens the file for reading only and reads in short statements: rows are never changed, so a prefix that was
//! seen once is the same later, and no long reader holds the write-ahead log back. The target fills a file that nobody else
//! knows yet, so it takes no care of a crash before it is finished; then it is forced to disk whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use vaultstream_domain::ports::backup::RestoredRow;
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_domain::ports::{BackupSource, RestoreTarget};
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{Family, ShardNumber};

use crate::database::{FileLock, OpenError, Synchronous, open_writer};
use crate::log::file::LogFile;
use crate::log::{read, schema};
use crate::readers::Readers;

const SHARDS: &str = "SELECT number, family, k, incarnation FROM shard ORDER BY number";

fn failed<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> LogError {
    move |source| LogError::Engine {
        doing,
        source: Box::new(source),
    }
}

/// The file of a log, read for a backup.
#[derive(Debug)]
pub struct SqliteSource {
    readers: Arc<Readers>,
}

impl SqliteSource {
    /// Opens the file; the product may run on it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        // Sees whose file it is.
        LogFile::open(path)?;
        Ok(Self {
            readers: Arc::new(Readers::try_new(path, 1)?),
        })
    }
}

fn shards(connection: &Connection) -> Result<Vec<(ShardEntry, u32)>, LogError> {
    let failed = failed::<rusqlite::Error>("read its shards");
    let mut statement = connection.prepare_cached(SHARDS).map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    let mut shards = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let family: String = row.get(1).map_err(&failed)?;
        let family: Family = serde_json::from_str(&family).map_err(self::failed("read its shards"))?;
        let entry = ShardEntry {
            number: ShardNumber(row.get(0).map_err(&failed)?),
            family,
            k: row.get(2).map_err(&failed)?,
        };
        shards.push((entry, row.get(3).map_err(&failed)?));
    }
    Ok(shards)
}

fn heads(connection: &Connection) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
    let failed = failed::<rusqlite::Error>("read its heads");
    // One transaction: one moment of all shards.
    let moment = connection.unchecked_transaction().map_err(&failed)?;
    let mut heads = BTreeMap::new();
    for (entry, incarnation) in shards(&moment)? {
        let range = (
            schema::row_id(entry.number, 0),
            schema::row_id(entry.number, schema::MAX_POSITION),
        );
        let last: Option<(i64, i64)> = moment
            .query_row(schema::LAST, range, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(&failed)?;
        let head = Head {
            incarnation,
            position: last.map_or(0, |(id, _)| schema::position_of(id)),
            hlc: Hlc(last.map_or(0, |(_, hlc)| hlc.cast_unsigned())),
        };
        heads.insert(entry.number, head);
    }
    Ok(heads)
}

#[async_trait]
impl BackupSource for SqliteSource {
    async fn shards(&mut self) -> Result<Vec<ShardEntry>, LogError> {
        let read = |c: &Connection| Ok(shards(c)?.into_iter().map(|(entry, _)| entry).collect());
        self.readers.run("read its shards", read).await
    }

    async fn heads(&mut self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        self.readers.run("read its heads", heads).await
    }

    async fn read(
        &mut self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.readers
            .run("read a shard", move |c| read::by_shard(c, shard, after, limit))
            .await
    }
}

/// A new file of a log, being filled.
#[derive(Debug)]
pub struct SqliteTarget {
    path: PathBuf,
    connection: Connection,
    _lock: FileLock,
}

impl SqliteTarget {
    /// Makes the file, or opens the log that is there: only [`RestoreTarget::finish`] may be asked of one with events.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, lock) = open_writer(path, &schema::KIND, Synchronous::Full)?;
        Ok(Self {
            path: path.to_owned(),
            connection,
            _lock: lock,
        })
    }

    fn fill(&self, shard: ShardNumber, rows: &[RestoredRow<'_>]) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        {
            let mut insert = transaction.prepare_cached(schema::INSERT)?;
            for RestoredRow { event, parts } in rows {
                insert.execute((
                    schema::row_id(shard, parts.position),
                    event.stream.to_bytes(),
                    event.sequence.cast_signed(),
                    parts.hlc.0.cast_signed(),
                    parts.envelope,
                    parts.payload,
                    parts.previous,
                    parts.hash,
                ))?;
            }
        }
        transaction.commit()
    }
}

#[async_trait]
impl RestoreTarget for SqliteTarget {
    async fn begin(&mut self, shards: &[ShardEntry]) -> Result<(), LogError> {
        let failed = failed::<rusqlite::Error>("be begun anew");
        let has_event: bool = self
            .connection
            .query_row("SELECT EXISTS (SELECT 1 FROM event)", [], |row| row.get(0))
            .map_err(&failed)?;
        if has_event {
            return Err(LogError::Malformed(
                "the log has events; restore into an empty one".to_owned(),
            ));
        }
        let c = &self.connection;
        // Nobody knows the file yet: a crash means that it is filled again from the beginning.
        let quick = (|| {
            c.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
            c.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
            c.pragma_update(None, "synchronous", "OFF")?;
            c.pragma_update(None, "temp_store", "FILE")?;
            c.pragma_update(None, "cache_size", -64_000)?;
            // It is made at the end, from sorted entries.
            c.execute_batch("DROP INDEX event_by_stream")
        })();
        quick.map_err(&failed)?;
        for entry in shards {
            let family = serde_json::to_string(&entry.family).map_err(self::failed("be begun anew"))?;
            c.execute(
                "INSERT INTO shard (number, family, k, incarnation) VALUES (?1, ?2, ?3, 1)",
                (entry.number.0, family, entry.k),
            )
            .map_err(&failed)?;
        }
        Ok(())
    }

    async fn put(&mut self, shard: ShardNumber, rows: &[RestoredRow<'_>]) -> Result<(), LogError> {
        self.fill(shard, rows).map_err(failed("take events back"))
    }

    async fn finish(&mut self, lives: &BTreeMap<ShardNumber, u32>) -> Result<(), LogError> {
        let failed = failed::<rusqlite::Error>("be finished");
        let c = &self.connection;
        c.execute_batch("CREATE UNIQUE INDEX IF NOT EXISTS event_by_stream ON event (stream, sequence)")
            .map_err(&failed)?;
        let transaction = c.unchecked_transaction().map_err(&failed)?;
        for (shard, life) in lives {
            let raised = transaction
                .execute(
                    "UPDATE shard SET incarnation = ?2 WHERE number = ?1 AND incarnation < ?2",
                    (shard.0, life),
                )
                .map_err(&failed)?;
            if raised != 1 {
                return Err(LogError::Malformed(format!(
                    "shard {shard} cannot begin life {life}: it is not there, or has begun it already"
                )));
            }
        }
        transaction.commit().map_err(&failed)?;
        // Forces everything, and leaves the file as the product opens it.
        (|| {
            c.pragma_update(None, "synchronous", "FULL")?;
            c.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })()
        .map_err(&failed)?;
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(self::failed("be finished"))
    }
}
