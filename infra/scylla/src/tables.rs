//! Generations as this process knows them: layouts and prepared statements.
//!
//! A generation that another process made is found in the engine's own tables when it is first asked for, so a process
//! that only reads need not create anything. What was dropped is forgotten at the first statement that says so.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use scylla::client::session::Session;
use scylla::errors::PrepareError;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use tokio::sync::OnceCell;
use vaultstream_domain::ports::view_store::{Direction, ViewRef};

use crate::error::{Refused, is_unprepared};
use crate::layout::{Directory, Layout, Marks, Shape, stem};
use crate::schema::{self, Source};

/// Rows of a page that is read from the engine.
pub(crate) const PAGE: i32 = 1_000;

/// A table with its statements.
pub(crate) struct Prepared {
    pub(crate) layout: Layout,
    pub(crate) put: PreparedStatement,
    pub(crate) get: PreparedStatement,
    scans: RwLock<HashMap<Shape, PreparedStatement>>,
    dump: OnceCell<PreparedStatement>,
}

impl Prepared {
    /// The statement that reads a part of a partition.
    pub(crate) async fn scan(&self, session: &Session, shape: Shape) -> Result<PreparedStatement, Source> {
        let known = {
            let known = self.scans.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&shape).cloned()
        };
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = prepare(session, &self.layout.scan(shape)).await?;
        let mut known = self.scans.write().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(shape).or_insert(statement).clone())
    }

    /// The statement that reads a part of the ring.
    pub(crate) async fn dump(&self, session: &Session) -> Result<PreparedStatement, Source> {
        let made = self
            .dump
            .get_or_try_init(|| async { prepare(session, &self.layout.dump()).await })
            .await?;
        Ok(made.clone())
    }
}

/// A generation with its statements.
pub(crate) struct Generation {
    tables: HashMap<String, Arc<Prepared>>,
    pub(crate) put_mark: PreparedStatement,
    pub(crate) marks: PreparedStatement,
    pub(crate) put_bucket: PreparedStatement,
    pub(crate) buckets_up: PreparedStatement,
    pub(crate) buckets_down: PreparedStatement,
}

impl Generation {
    pub(crate) fn table(&self, view: &ViewRef, table: &str) -> Result<&Arc<Prepared>, Refused> {
        let missing = || {
            let (name, generation) = (view.view, view.generation);
            Refused(format!("{name} generation {generation} has no table {table}"))
        };
        self.tables.get(table).ok_or_else(missing)
    }
}

/// What is known.
#[derive(Default)]
pub(crate) struct Tables {
    known: RwLock<HashMap<ViewRef, Arc<Generation>>>,
}

impl Tables {
    pub(crate) fn known(&self, view: &ViewRef) -> Option<Arc<Generation>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(view).cloned()
    }

    pub(crate) fn forget(&self, view: &ViewRef) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(view);
    }

    pub(crate) fn learn(&self, view: &ViewRef, generation: Generation) -> Arc<Generation> {
        let generation = Arc::new(generation);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(view.clone(), Arc::clone(&generation));
        generation
    }
}

/// A generation as it is in the engine; none when it was not made, or not to its end: a table that is being made or
/// dropped is listed and cannot be used.
pub(crate) async fn discover(
    session: &Session,
    keyspace: &str,
    view: &ViewRef,
) -> Result<Option<Generation>, Source> {
    let found = look(session, keyspace, view).await;
    let is_half = |error: &Source| error.downcast_ref::<PrepareError>().is_some_and(is_unprepared);
    match found {
        Err(error) if is_half(&error) => Ok(None),
        found => found,
    }
}

async fn look(session: &Session, keyspace: &str, view: &ViewRef) -> Result<Option<Generation>, Source> {
    let stem = stem(view);
    let (marks, directory) = (Marks::of(keyspace, view), Directory::of(keyspace, view));
    let all = schema::tables_of(session, keyspace).await?;
    let own = [&marks.0, &directory.0].map(|name| name.strip_prefix(&format!("{keyspace}.")));
    if !own.iter().flatten().all(|name| all.contains_key(*name)) {
        return Ok(None);
    }
    let mut tables = HashMap::new();
    for (name, comment) in &all {
        let Some(short) = name.strip_prefix(&stem).filter(|short| !short.starts_with('_')) else {
            continue;
        };
        let Some((partition, clustering)) = schema::key_of(session, keyspace, name).await? else {
            continue;
        };
        let full = format!("{keyspace}.{name}");
        let Some(layout) = Layout::of_existing(full, partition, clustering, comment) else {
            continue;
        };
        let prepared = Prepared {
            put: prepare(session, &layout.put()).await?,
            get: prepare(session, &layout.get()).await?,
            scans: RwLock::default(),
            dump: OnceCell::new(),
            layout,
        };
        tables.insert(short.to_owned(), Arc::new(prepared));
    }
    Ok(Some(Generation {
        tables,
        put_mark: prepare(session, &marks.put()).await?,
        marks: prepare(session, &marks.all()).await?,
        put_bucket: prepare(session, &directory.put()).await?,
        buckets_up: prepare(session, &directory.page(Direction::Forward)).await?,
        buckets_down: prepare(session, &directory.page(Direction::Backward)).await?,
    }))
}

/// Every statement here may be sent twice: reads change nothing, writes carry their stamp.
async fn prepare(session: &Session, text: &str) -> Result<PreparedStatement, Source> {
    let statement = Statement::new(text).with_page_size(PAGE);
    let mut prepared = session.prepare(statement).await?;
    prepared.set_is_idempotent(true);
    Ok(prepared)
}
