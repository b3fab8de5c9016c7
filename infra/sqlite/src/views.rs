//! The embedded view store: one SQLite file a family, tables derived from [`Table`] values.
//!
//! One thread a file writes, another copies its write-ahead log back; flushes that wait become one transaction. `synchronous=NORMAL`: a process that dies loses
//! nothing, a power cut may lose the newest flushes, and what is lost is folded again from the log because the watermark
//! is lost with it. A removed row leaves only its stamp, in a table beside its own, so reads never walk over graves.
//! Refuses: keys that do not fit their table, generations that were not created, names that are no identifiers.

mod schema;
mod sql;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use rusqlite::{Connection, params_from_iter};
use tokio::sync::{mpsc, oneshot};
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{
    Flush, KeyPart, MAX_SCAN, Row, RowKey, Scan, Table, ViewRef, ViewStoreError,
};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, ShardNumber};

use crate::database::{OpenError, Synchronous, open_writer};
use crate::readers::Readers;
use crate::views::schema::{KIND, Layout};
use crate::views::sql::{Refused, value_of};
use crate::views::write::{Job, Writer};
use crate::wal::{self, Pace};

/// Jobs that may wait for a file's writer; more callers wait outside.
const QUEUE: usize = 64;
/// The write-ahead log is copied back a few times a second under load: so seldom that a page that is written often is
/// copied once, and so often that the disk has little to do at once, because appends to the event log wait for it.
const PACE: Pace = Pace {
    every: 16 << 20,
    bound: 512 << 20,
};

/// How views are opened.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// Where the files are; made when missing.
    pub directory: PathBuf,
    /// The families, each with a file of its own.
    pub families: Vec<Family>,
    /// Read-only connections a file, 1 to 16.
    pub readers: usize,
    /// What a writing thread does first; nothing, or lower its priority.
    pub on_writer_start: fn(),
}

impl ViewOptions {
    /// Two read-only connections a file.
    pub fn new(directory: impl Into<PathBuf>, families: Vec<Family>) -> Self {
        Self {
            directory: directory.into(),
            families,
            readers: 2,
            on_writer_start: || (),
        }
    }
}

/// The view store.
pub struct SqliteViews {
    files: HashMap<Family, File>,
}

/// The tables that exist, by generation and name.
type Layouts = Arc<RwLock<HashMap<ViewRef, HashMap<&'static str, Arc<Layout>>>>>;

/// One family's file.
struct File {
    readers: Arc<Readers>,
    jobs: Option<mpsc::Sender<Job>>,
    /// The writer, then who copies its write-ahead log, which ends after it.
    threads: Vec<JoinHandle<()>>,
    layouts: Layouts,
}

impl Drop for File {
    fn drop(&mut self) {
        self.jobs.take();
        for thread in self.threads.drain(..) {
            // A thread that panicked has reported it; there is nothing more to do here.
            let _ = thread.join();
        }
    }
}

impl SqliteViews {
    /// Opens or makes the files of all families.
    pub fn open(options: &ViewOptions) -> Result<Self, OpenError> {
        let open = |family: &Family| {
            let path = options.directory.join(format!("views-{family}.db"));
            Ok((family.clone(), File::open(&path, options)?))
        };
        let files = options
            .families
            .iter()
            .map(open)
            .collect::<Result<_, OpenError>>()?;
        Ok(Self { files })
    }

    fn file(&self, family: &Family, doing: &'static str) -> Result<&File, ViewStoreError> {
        let missing = || failed(doing, Refused(format!("family {family} has no file here")));
        self.files.get(family).ok_or_else(missing)
    }
}

/// An error of this adapter as the port says it.
fn failed(
    doing: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ViewStoreError {
    ViewStoreError {
        doing,
        source: source.into(),
    }
}

impl File {
    fn open(path: &Path, options: &ViewOptions) -> Result<Self, OpenError> {
        let (connection, lock) = open_writer(path, &KIND, Synchronous::Normal)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let layouts = Layouts::default();
        let (copier, checkpoints) = wal::start(path, &connection, "views-wal", PACE)?;
        let writer = Writer::new(connection, lock, Arc::clone(&layouts), checkpoints);
        let start = options.on_writer_start;
        let thread = std::thread::Builder::new()
            .name("views-writer".into())
            .spawn(move || {
                start();
                writer.run(queue);
            });
        let writer = thread.map_err(|source| OpenError::Unwritable {
            path: path.to_owned(),
            source,
        })?;
        let readers = Arc::new(Readers::try_new(path, options.readers.clamp(1, 16))?);
        Ok(Self {
            readers,
            jobs: Some(jobs),
            threads: vec![writer, copier],
            layouts,
        })
    }

    async fn write(
        &self,
        doing: &'static str,
        job: impl FnOnce(write::Reply) -> Job,
    ) -> Result<(), ViewStoreError> {
        let stopped = || failed(doing, Refused("its writer has stopped".into()));
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job(reply)).await.map_err(|_| stopped())?;
        answer
            .await
            .map_err(|_| stopped())?
            .map_err(|source| failed(doing, source))
    }

    fn layout(
        &self,
        view: &ViewRef,
        table: &'static str,
        doing: &'static str,
    ) -> Result<Arc<Layout>, ViewStoreError> {
        let layouts = self.layouts.read().unwrap_or_else(PoisonError::into_inner);
        let found = layouts.get(view).and_then(|tables| tables.get(table)).cloned();
        let (name, generation) = (view.view, view.generation);
        found.ok_or_else(|| {
            failed(
                doing,
                Refused(format!("{name} generation {generation} has no table {table}")),
            )
        })
    }

    /// Runs a read on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ViewStoreError> {
        let answer = self
            .readers
            .run(doing, move |connection| Ok(read(connection)))
            .await;
        answer
            .map_err(|source| failed(doing, source))?
            .map_err(|source| failed(doing, source))
    }
}

#[async_trait]
impl ViewStore for SqliteViews {
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError> {
        const DOING: &str = "create a view's tables";
        let layouts = tables
            .iter()
            .map(|table| Ok((table.name, Arc::new(Layout::try_new(view, table)?))))
            .collect::<Result<HashMap<_, _>, Refused>>()
            .map_err(|source| failed(DOING, source))?;
        let (view, file) = (view.clone(), self.file(&view.family, DOING)?);
        file.write(DOING, |reply| Job::Create { view, layouts, reply })
            .await
    }

    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError> {
        const DOING: &str = "drop a view's generation";
        let (view, file) = (view.clone(), self.file(&view.family, DOING)?);
        file.write(DOING, |reply| Job::Drop { view, reply }).await
    }

    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError> {
        const DOING: &str = "read rows";
        let file = self.file(&view.family, DOING)?;
        let mut wanted = Vec::with_capacity(keys.len());
        for key in keys {
            let layout = file.layout(view, key.table, DOING)?;
            let key = layout.key(key).map_err(|source| failed(DOING, source))?;
            wanted.push((layout, key));
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        file.read(DOING, move |connection| {
            wanted
                .iter()
                .map(|(layout, key)| sql::get(connection, layout, key))
                .collect()
        })
        .await
    }

    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError> {
        const DOING: &str = "read a partition";
        let file = self.file(&view.family, DOING)?;
        let layout = file.layout(view, scan.table, DOING)?;
        let statement = sql::scan(&layout, scan).map_err(|source| failed(DOING, source))?;
        let Some((sql, values)) = statement else {
            return Ok(Vec::new());
        };
        let (limit, width) = (scan.limit.min(MAX_SCAN), layout.clustering);
        file.read(DOING, move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::with_capacity(limit.min(64));
            while let Some(row) = rows.next()? {
                let clustering = (0..width)
                    .map(|i| value_of(row.get_ref(i)?))
                    .collect::<Result<_, _>>()?;
                found.push(Row {
                    clustering,
                    value: row.get(width)?,
                });
            }
            Ok(found)
        })
        .await
    }

    async fn flush(&self, view: &ViewRef, flush: Flush) -> Result<(), ViewStoreError> {
        const DOING: &str = "write a flush";
        let (view, file) = (view.clone(), self.file(&view.family, DOING)?);
        file.write(DOING, |reply| Job::Flush { view, flush, reply }).await
    }

    async fn watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, ViewStoreError> {
        const DOING: &str = "read watermarks";
        let (name, generation) = (view.view, view.generation);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(schema::WATERMARKS)?;
            let rows = statement.query_map((name, generation), |row| {
                let place = Place {
                    incarnation: row.get(1)?,
                    position: row.get::<_, i64>(2)?.unsigned_abs(),
                };
                Ok((ShardNumber(row.get(0)?), place))
            })?;
            rows.collect()
        };
        self.file(&view.family, DOING)?.read(DOING, read).await
    }

    async fn dump(
        &self,
        view: &ViewRef,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, ViewStoreError> {
        const DOING: &str = "dump a table";
        let file = self.file(&view.family, DOING)?;
        let layout = file.layout(view, table.name, DOING)?;
        let (sql, values) =
            sql::dump(&layout, after, limit.min(MAX_SCAN)).map_err(|source| failed(DOING, source))?;
        let (name, partition, width) = (table.name, layout.partition, layout.partition + layout.clustering);
        file.read(DOING, move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let mut parts: Vec<KeyPart> = (0..width)
                    .map(|i| value_of(row.get_ref(i)?))
                    .collect::<Result<_, _>>()?;
                let clustering = parts.split_off(partition);
                found.push((
                    RowKey {
                        table: name,
                        partition: parts,
                        clustering,
                    },
                    row.get(width)?,
                ));
            }
            Ok(found)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
