//! The embedded event log: one SQLite file in write-ahead mode.
//!
//! One thread writes; whatever batches wait for it become one transaction, so callers share the price of forcing the
//! disk. Reads run on a few read-only connections and see a prefix of every shard; the newest events are also kept in
//! memory, so followers of the tail rarely touch the file. A second connection copies the write-ahead log back, so
//! appends do not wait for that. Refuses: malformed batches, events made for another incarnation, everything
//! [`crate::database`] refuses at open.

pub mod baseline;
pub mod file;
mod group;
pub(crate) mod read;
mod recent;
pub(crate) mod schema;
mod validate;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{mpsc, oneshot, watch};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{
    AppendCommand, AppendOutcome, Head, Leaf, LogError, MAX_READ, Snapshot,
};
use vaultstream_event_schemas::clock::{Hlc, Timestamp};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{Family, Registry, ShardNumber, StreamId};

use crate::database::{FileLock, OpenError, Synchronous, engine, open_writer};
use crate::log::recent::Recent;
use crate::log::writer::{Request, Writer};
use crate::readers::Readers;
use crate::wal::{self, Pace};

/// Batches that may wait for the writer; more callers wait outside.
const QUEUE: usize = 64;
/// `wait_beyond` looks again at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How a log is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file; its directory is made when missing.
    pub path: PathBuf,
    /// Families and their counts of shards, in order of numbering. New families are added to an existing log.
    pub families: Vec<(Family, u16)>,
    /// When a commit counts as durable.
    pub synchronous: Synchronous,
    /// Read-only connections, 1 to 16.
    pub readers: usize,
    /// Bytes that may wait in the write-ahead log for being copied into the file, by estimate; then appends wait.
    pub uncopied_bytes_max: usize,
}

/// Growth of the write-ahead log after which it is copied back.
const CHECKPOINT_BYTES: usize = 16 << 20;
/// A quarter of a gigabyte in the write-ahead log is more than a disk that keeps up ever sees.
const UNCOPIED_BYTES_MAX: usize = 256 << 20;

impl Options {
    /// A durable log with two read-only connections.
    pub fn new(path: impl Into<PathBuf>, families: Vec<(Family, u16)>) -> Self {
        Self {
            path: path.into(),
            families,
            synchronous: Synchronous::Full,
            readers: 2,
            uncopied_bytes_max: UNCOPIED_BYTES_MAX,
        }
    }
}

/// What writer, readers and callers share.
#[derive(Debug)]
struct Shared {
    registry: Arc<Registry>,
    /// Where each shard stands, in order of number; changed by the writer after a commit.
    heads: Vec<watch::Sender<Head>>,
    recent: Recent,
}

/// The embedded event log. Dropping it ends its threads after what was accepted is written.
#[derive(Debug)]
pub struct SqliteLog {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    requests: Option<mpsc::Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
    _lock: FileLock,
}

impl SqliteLog {
    /// Opens or creates the log. Blocks for as long as the disk does; call it at start.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let path = options.path.as_path();
        let (connection, lock) = open_writer(path, &schema::KIND, options.synchronous)?;
        let (registry, incarnations) = register(path, &connection, &options.families)?;
        let heads = stand(path, &connection, &registry, &incarnations)?;
        let readers = Arc::new(Readers::try_new(path, options.readers.clamp(1, 16))?);

        let shared = Arc::new(Shared {
            registry: Arc::new(registry),
            recent: Recent::new(heads.len()),
            heads: heads.iter().map(|head| watch::Sender::new(*head)).collect(),
        });
        let pace = Pace {
            every: CHECKPOINT_BYTES,
            bound: options.uncopied_bytes_max,
        };
        let (copier, checkpoints) = wal::start(path, &connection, "log-wal", pace)?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer = Writer::new(connection, Arc::clone(&shared), queue, checkpoints);
        let writer = std::thread::Builder::new()
            .name("vaultstream-log".into())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Unwritable {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            shared,
            readers,
            requests: Some(requests),
            threads: vec![writer, copier],
            _lock: lock,
        })
    }

    async fn ask<T>(
        &self,
        doing: &'static str,
        request: impl FnOnce(oneshot::Sender<Result<T, LogError>>) -> Request,
    ) -> Result<T, LogError> {
        let stopped = || LogError::Engine {
            doing,
            source: "its writer has stopped".into(),
        };
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        requests.send(request(answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    fn shard(&self, shard: ShardNumber) -> Result<&watch::Sender<Head>, LogError> {
        self.shared
            .heads
            .get(usize::from(shard.0))
            .ok_or_else(|| LogError::Malformed(format!("shard {shard} is not in the registry")))
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.requests = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the event log ended in a panic");
            }
        }
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.shared.registry)
    }

    async fn append(
        &self,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        validate::batch(&batch, &self.shared)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.ask("append", |answer| Request::Append { batch, now, answer })
            .await
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.shard(stream.shard())?;
        let limit = limit.min(MAX_READ);
        self.readers
            .run("read a stream", move |c| read::by_stream(c, stream, after, limit))
            .await
    }

    async fn read_shard(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let limit = limit.min(MAX_READ);
        if limit == 0 || self.shard(shard)?.borrow().position <= after {
            return Ok(Vec::new());
        }
        if let Some(events) = self.shared.recent.read(shard, after, limit) {
            return Ok(events);
        }
        self.readers
            .run("read a shard", move |c| read::by_shard(c, shard, after, limit))
            .await
    }

    async fn read_leaves(&self, shard: ShardNumber, after: u64, limit: usize) -> Result<Vec<Leaf>, LogError> {
        let limit = limit.min(MAX_READ);
        if limit == 0 || self.shard(shard)?.borrow().position <= after {
            return Ok(Vec::new());
        }
        if let Some(leaves) = self.shared.recent.leaves(shard, after, limit) {
            return Ok(leaves);
        }
        let read = move |c: &Connection| read::leaves(c, shard, after, limit);
        self.readers.run("read the leaves of a shard", read).await
    }

    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        let entries = self.shared.registry.entries().iter();
        Ok(entries
            .zip(&self.shared.heads)
            .map(|(entry, head)| (entry.number, *head.borrow()))
            .collect())
    }

    async fn wait_beyond(&self, shard: ShardNumber, position: u64) -> Result<(), LogError> {
        let mut head = self.shard(shard)?.subscribe();
        let passed = head.wait_for(|head| head.position > position);
        // Late or not, the caller looks again.
        let _ = tokio::time::timeout(LONGEST_WAIT, passed).await;
        Ok(())
    }

    async fn load_snapshot(&self, stream: StreamId, fold_version: u32) -> Result<Option<Snapshot>, LogError> {
        self.readers
            .run("load a snapshot", move |c| {
                read::snapshot(c, stream, fold_version)
            })
            .await
    }

    async fn save_snapshot(
        &self,
        stream: StreamId,
        fold_version: u32,
        snapshot: Snapshot,
    ) -> Result<(), LogError> {
        self.ask("save a snapshot", |answer| Request::Snapshot {
            stream,
            fold_version,
            snapshot,
            answer,
        })
        .await
    }
}

/// Reads the stored registry, adds families that are new, and gives each shard's incarnation.
fn register(
    path: &Path,
    connection: &Connection,
    families: &[(Family, u16)],
) -> Result<(Registry, Vec<u32>), OpenError> {
    let failed = |source| engine(path, "read")(source);
    let damaged = |source| OpenError::RegistryDamaged {
        path: path.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    let mut incarnations: Vec<u32> = Vec::new();
    {
        let mut statement = connection
            .prepare("SELECT number, family, k, incarnation FROM shard ORDER BY number")
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let family: String = row.get(1).map_err(failed)?;
            entries.push(ShardEntry {
                number: ShardNumber(row.get(0).map_err(failed)?),
                family: serde_json::from_str(&family).map_err(damaged)?,
                k: row.get(2).map_err(failed)?,
            });
            incarnations.push(row.get(3).map_err(failed)?);
        }
    }
    let known = entries.len();
    let registry = if known == 0 {
        Registry::try_new(families)
    } else {
        // A registry is only made by its own rules or read back whole.
        let stored: Registry =
            serde_json::from_value(serde_json::json!({ "entries": entries })).map_err(damaged)?;
        stored.extended(families)
    }
    .map_err(OpenError::Registry)?;

    let transaction = connection.unchecked_transaction().map_err(failed)?;
    for entry in &registry.entries()[known..] {
        let family = serde_json::to_string(&entry.family).map_err(damaged)?;
        transaction
            .execute(
                "INSERT INTO shard (number, family, k, incarnation) VALUES (?1, ?2, ?3, 1)",
                (entry.number.0, family, entry.k),
            )
            .map_err(engine(path, "written"))?;
        incarnations.push(1);
    }
    transaction.commit().map_err(engine(path, "written"))?;
    Ok((registry, incarnations))
}

/// Where every shard stands, read from its last event.
fn stand(
    path: &Path,
    connection: &Connection,
    registry: &Registry,
    incarnations: &[u32],
) -> Result<Vec<Head>, OpenError> {
    let entries = registry.entries().iter().zip(incarnations);
    entries
        .map(|(entry, incarnation)| {
            let range = (
                schema::row_id(entry.number, 0),
                schema::row_id(entry.number, schema::MAX_POSITION),
            );
            let last: Option<(i64, i64)> = connection
                .query_row(schema::LAST, range, |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(engine(path, "read"))?;
            Ok(Head {
                incarnation: *incarnation,
                position: last.map_or(0, |(id, _)| schema::position_of(id)),
                hlc: Hlc(last.map_or(0, |(_, hlc)| hlc.cast_unsigned())),
            })
        })
        .collect()
}
