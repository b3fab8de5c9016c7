//! The thread that writes a family's file.
//!
//! Jobs that wait are done in one transaction. When it fails each is tried alone, so that one bad flush never takes its
//! neighbours with it. A caller has its answer after the commit.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use vaultstream_domain::ports::view_store::{Flush, RowKey, RowWrite, ViewRef};

use crate::database::FileLock;
use crate::views::Layouts;
use crate::views::schema::{self, Layout};
use crate::views::sql::Refused;
use crate::wal::Checkpoints;

/// The most jobs one transaction takes.
const MAX_GROUP: usize = 32;
/// The most rows one transaction takes before it stops taking jobs.
const MAX_ROWS: usize = 10_000;

/// What a row adds to the write-ahead log, by estimate: the page it stands in.
const PAGE_BYTES: usize = 4_096;

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Engine(#[from] rusqlite::Error),
}

/// Where the answer goes.
pub(super) type Reply = oneshot::Sender<Result<(), WriteError>>;

/// What the writer can be asked for.
pub(super) enum Job {
    /// Makes a generation's tables.
    Create {
        view: ViewRef,
        layouts: HashMap<&'static str, Arc<Layout>>,
        reply: Reply,
    },
    /// Drops them.
    Drop { view: ViewRef, reply: Reply },
    /// Writes a flush.
    Flush {
        view: ViewRef,
        flush: Flush,
        reply: Reply,
    },
}

impl Job {
    fn rows(&self) -> usize {
        match self {
            Self::Flush { flush, .. } => flush.totals.len() + flush.rows.len(),
            Self::Create { .. } | Self::Drop { .. } => 0,
        }
    }

    fn answer(self, result: Result<(), WriteError>) {
        let (Self::Create { reply, .. } | Self::Drop { reply, .. } | Self::Flush { reply, .. }) = self;
        // A caller that went away does not want to know.
        let _ = reply.send(result);
    }
}

/// The writer.
pub(super) struct Writer {
    connection: Connection,
    _lock: FileLock,
    layouts: Layouts,
    /// Tables that rows were removed from.
    buried: HashSet<String>,
    checkpoints: Checkpoints,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        lock: FileLock,
        layouts: Layouts,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            connection,
            _lock: lock,
            layouts,
            buried: HashSet::new(),
            checkpoints,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut rows = first.rows();
            let mut group = vec![first];
            while group.len() < MAX_GROUP && rows < MAX_ROWS {
                let Ok(next) = jobs.try_recv() else { break };
                rows += next.rows();
                group.push(next);
            }
            self.group(group);
            self.checkpoints.note(rows * PAGE_BYTES);
            self.checkpoints.finish_if_due(&self.connection);
        }
    }

    fn group(&mut self, group: Vec<Job>) {
        if self.transact(&group).is_ok() {
            for job in group {
                self.settled(&job);
                job.answer(Ok(()));
            }
            return;
        }
        for job in group {
            let done = self.transact(std::slice::from_ref(&job));
            if done.is_ok() {
                self.settled(&job);
            }
            job.answer(done);
        }
    }

    /// Does jobs in one transaction.
    fn transact(&mut self, jobs: &[Job]) -> Result<(), WriteError> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let (layouts, buried) = (&self.layouts, &mut self.buried);
        for job in jobs {
            match job {
                Job::Create { layouts, .. } => create(&transaction, layouts, buried)?,
                Job::Drop { view, .. } => drop_tables(&transaction, view)?,
                Job::Flush { view, flush, .. } => write(&transaction, layouts, buried, view, flush)?,
            }
        }
        Ok(transaction.commit()?)
    }

    /// What readers may know once the transaction is done.
    fn settled(&self, job: &Job) {
        let mut layouts = self.layouts.write().unwrap_or_else(PoisonError::into_inner);
        match job {
            Job::Create {
                view, layouts: new, ..
            } => {
                layouts.insert(view.clone(), new.clone());
            }
            Job::Drop { view, .. } => {
                layouts.remove(view);
            }
            Job::Flush { .. } => {}
        }
    }
}

fn create(
    transaction: &Transaction<'_>,
    layouts: &HashMap<&'static str, Arc<Layout>>,
    buried: &mut HashSet<String>,
) -> Result<(), WriteError> {
    for layout in layouts.values() {
        transaction.execute_batch(&layout.create)?;
        transaction.execute(&layout.forget_buried, [])?;
        if transaction.query_row(&layout.any_buried, [], |row| row.get(0))? {
            buried.insert(layout.name.clone());
        }
    }
    Ok(())
}

/// Drops every table of the generation the file has, also those this process has not made.
fn drop_tables(transaction: &Transaction<'_>, view: &ViewRef) -> Result<(), WriteError> {
    let prefix = format!("{}_g{}_", view.view, view.generation);
    let names: Vec<String> = {
        let mut statement = transaction.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        names
            .filter(|name| name.as_ref().map_or(true, |n| n.starts_with(&prefix)))
            .collect::<Result<_, _>>()?
    };
    for name in names {
        transaction.execute_batch(&format!("DROP TABLE \"{name}\""))?;
    }
    transaction.execute(schema::FORGET, (view.view, view.generation))?;
    Ok(())
}

fn write(
    transaction: &Transaction<'_>,
    layouts: &Layouts,
    buried: &mut HashSet<String>,
    view: &ViewRef,
    flush: &Flush,
) -> Result<(), WriteError> {
    let tables = layouts
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(view)
        .cloned();
    let unknown = |what: &str| Refused(format!("{} generation {} {what}", view.view, view.generation));
    let tables = tables.ok_or_else(|| unknown("was not created"))?;
    for rows in [&flush.totals, &flush.rows] {
        // Flushes come sorted by key, so one statement serves a table's rows.
        for rows in rows.chunk_by(|a, b| a.key.table == b.key.table) {
            let layout = tables
                .get(rows[0].key.table)
                .ok_or_else(|| unknown(&format!("has no table {}", rows[0].key.table)))?;
            write_table(transaction, layout, buried, rows)?;
        }
    }
    let mut advance = transaction.prepare_cached(schema::ADVANCE)?;
    for (shard, place) in &flush.watermarks {
        let position = i64::try_from(place.position).unwrap_or(i64::MAX);
        advance.execute((view.view, view.generation, shard.0, place.incarnation, position))?;
    }
    Ok(())
}

/// Writes rows of one table, in their order.
fn write_table(
    transaction: &Transaction<'_>,
    layout: &Layout,
    buried: &mut HashSet<String>,
    rows: &[RowWrite],
) -> Result<(), WriteError> {
    let mut put = None;
    for row in rows {
        let hlc = i64::try_from(row.hlc.0).map_err(|_| Refused("a stamp must be below 2^63".into()))?;
        if row.value.is_empty() {
            remove_row(transaction, layout, &row.key, hlc)?;
            if !buried.contains(&layout.name) {
                buried.insert(layout.name.clone());
                put = None;
            }
            continue;
        }
        let statement = match &mut put {
            Some(statement) => statement,
            None => {
                let guarded = buried.contains(&layout.name);
                let sql = if guarded { &layout.put_guarded } else { &layout.put };
                put.insert(transaction.prepare_cached(sql)?)
            }
        };
        let parts = layout.bind(statement, &row.key)?;
        statement.raw_bind_parameter(parts + 1, row.value.as_slice())?;
        statement.raw_bind_parameter(parts + 2, hlc)?;
        statement.raw_execute()?;
    }
    Ok(())
}

fn remove_row(
    transaction: &Transaction<'_>,
    layout: &Layout,
    key: &RowKey,
    hlc: i64,
) -> Result<(), WriteError> {
    for sql in [&layout.remove, &layout.bury] {
        let mut statement = transaction.prepare_cached(sql)?;
        let parts = layout.bind(&mut statement, key)?;
        statement.raw_bind_parameter(parts + 1, hlc)?;
        statement.raw_execute()?;
    }
    Ok(())
}
