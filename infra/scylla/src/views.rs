//! The view store: the port over CQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use scylla::client::session::Session;
use scylla::errors::{ExecutionError, NextRowError, PagerExecutionError};
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{
    Flush, MAX_SCAN, Row, RowKey, Scan, Table, ViewRef, ViewStoreError,
};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, ShardNumber};

use crate::buckets::Known;
use crate::dump::Dumps;
use crate::error::{Refused, failed, is_gone};
use crate::layout::{Directory, Layout, Marks, stem};
use crate::read::Reading;
use crate::schema::{Ddl, SharedDdl, Source};
use crate::tables::{Generation, Tables};
use crate::write::{InFlight, Plan};
use crate::{OpenError, ScyllaOptions, connect, read, schema, tables, write};

/// How long a table that was just made may stay out of sight.
const APPEARING: Duration = Duration::from_secs(10);

/// The view store.
pub struct ScyllaViews {
    session: Session,
    ddl: SharedDdl,
    options: ScyllaOptions,
    tables: Tables,
    buckets: Known,
    dumps: Dumps,
    in_flight: InFlight,
}

impl ScyllaViews {
    /// Connects, checks the engine, and makes the families' keyspaces where they are missing.
    pub async fn open(options: ScyllaOptions) -> Result<Self, OpenError> {
        options.check()?;
        let session = connect::session(&options).await?;
        connect::check_engine(&session, &options).await?;
        let ddl = Arc::new(Ddl::new(&session));
        for family in &options.families {
            let keyspace = options.keyspace(family);
            connect::prepare_keyspace(&session, &ddl, &options, &keyspace).await?;
        }
        Ok(Self {
            session,
            ddl,
            tables: Tables::default(),
            buckets: Known::new(),
            dumps: Dumps::new(options.dump_bytes),
            in_flight: InFlight::new(options.in_flight),
            options,
        })
    }

    fn keyspace(&self, family: &Family) -> Result<String, Refused> {
        if self.options.families.contains(family) {
            return Ok(self.options.keyspace(family));
        }
        Err(Refused(format!("family {family} has no keyspace here")))
    }

    /// A generation, also when another process made it.
    async fn generation(&self, view: &ViewRef) -> Result<Arc<Generation>, Source> {
        if let Some(known) = self.tables.known(view) {
            return Ok(known);
        }
        let keyspace = self.keyspace(&view.family)?;
        let found = tables::discover(&self.session, &keyspace, view).await?;
        let missing = || {
            Refused(format!(
                "{} generation {} was not created",
                view.view, view.generation
            ))
        };
        Ok(self.tables.learn(view, found.ok_or_else(missing)?))
    }

    /// An error as the port says it. A generation whose tables are gone is looked for anew the next time.
    fn failed(&self, view: &ViewRef, doing: &'static str, source: Source) -> ViewStoreError {
        let is_gone = source.downcast_ref::<ExecutionError>().is_some_and(is_gone);
        if is_gone || source.is::<PagerExecutionError>() || source.is::<NextRowError>() {
            self.forget(view);
        }
        failed(doing, source)
    }

    fn forget(&self, view: &ViewRef) {
        self.tables.forget(view);
        self.buckets.forget(view);
        self.dumps.forget(view);
    }

    async fn try_create(&self, view: &ViewRef, wanted: &[Table]) -> Result<(), Source> {
        let keyspace = self.keyspace(&view.family)?;
        let layouts = wanted
            .iter()
            .map(|table| {
                let layout = Layout::try_new(&keyspace, view, table, &self.options.buckets)?;
                Ok((table.name, layout))
            })
            .collect::<Result<Vec<_>, Refused>>()?;
        let (marks, directory) = (Marks::of(&keyspace, view), Directory::of(&keyspace, view));
        let mut definitions: Vec<(&str, String)> = layouts
            .iter()
            .map(|(_, l)| (l.name.as_str(), l.create()))
            .collect();
        definitions.push((&directory.0, directory.create()));
        // Last, so that a generation that has marks has everything.
        definitions.push((&marks.0, marks.create()));
        let there = schema::tables_of(&self.session, &keyspace).await?;
        for (name, definition) in definitions {
            let short = name.strip_prefix(&format!("{keyspace}.")).unwrap_or(name);
            if !there.contains_key(short) {
                self.ddl.run(&self.session, &definition).await?;
            }
        }
        let found = self.await_tables(&keyspace, view, &layouts).await?;
        for (name, layout) in &layouts {
            let there = &found.table(view, name)?.layout;
            if !there.has_key_of(layout) {
                return Err(Refused(format!(
                    "table {} has another key than this program's {name}: it was made by another version; rebuild \
                     the view, or use another prefix",
                    layout.name
                ))
                .into());
            }
        }
        self.tables.learn(view, found);
        Ok(())
    }

    /// What was made may not be seen at once by the node that is asked.
    async fn await_tables(
        &self,
        keyspace: &str,
        view: &ViewRef,
        layouts: &[(&'static str, Layout)],
    ) -> Result<Generation, Source> {
        let pause = Duration::from_millis(50);
        for _ in 0..APPEARING.as_millis() / pause.as_millis() {
            let found = tables::discover(&self.session, keyspace, view).await;
            match found {
                Ok(Some(found)) if layouts.iter().all(|(name, _)| found.table(view, name).is_ok()) => {
                    return Ok(found);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(error, "a new table is not there yet"),
            }
            tokio::time::sleep(pause).await;
        }
        let names: Vec<&str> = layouts.iter().map(|(_, l)| l.name.as_str()).collect();
        Err(Refused(format!(
            "one of {} is no table of views, or does not appear; drop it, or use another prefix",
            names.join(", ")
        ))
        .into())
    }

    /// Marks first: what is left of a generation whose dropping broke off has none, and is filled from the beginning.
    async fn try_drop(&self, view: &ViewRef) -> Result<(), Source> {
        let keyspace = self.keyspace(&view.family)?;
        self.forget(view);
        let (stem, all) = (stem(view), schema::tables_of(&self.session, &keyspace).await?);
        let mut names: Vec<&String> = all.keys().filter(|name| name.starts_with(&stem)).collect();
        names.sort_by_key(|name| !name.ends_with("__mark"));
        for name in names {
            let statement = format!("DROP TABLE IF EXISTS {keyspace}.{name}");
            self.ddl.run(&self.session, &statement).await?;
        }
        self.forget(view);
        Ok(())
    }

    async fn try_get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, Source> {
        let generation = self.generation(view).await?;
        let mut wanted = Vec::with_capacity(keys.len());
        for key in keys {
            let table = generation.table(view, key.table)?;
            table.layout.check(key)?;
            wanted.push((table.as_ref(), key));
        }
        read::get(&self.session, &wanted).await
    }

    async fn try_flush(&self, view: &ViewRef, flush: &Flush) -> Result<(), Source> {
        let generation = self.generation(view).await?;
        let totals = Plan::try_new(&generation, view, &flush.totals)?;
        let rows = Plan::try_new(&generation, view, &flush.rows)?;
        let mut entries = totals.new_buckets(view, &self.buckets);
        entries.extend(rows.new_buckets(view, &self.buckets));
        let directory = (&self.buckets, entries);
        write::add_buckets(&self.session, &generation, &self.in_flight, directory).await?;
        totals.send(&self.session, &self.in_flight).await?;
        rows.send(&self.session, &self.in_flight).await?;
        write::add_marks(&self.session, &generation, &flush.watermarks).await
    }

    async fn try_watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, Source> {
        let keyspace = self.keyspace(&view.family)?;
        if self.tables.known(view).is_none() {
            let found = tables::discover(&self.session, &keyspace, view).await?;
            let Some(found) = found else {
                return Ok(BTreeMap::new());
            };
            self.tables.learn(view, found);
        }
        let generation = self.generation(view).await?;
        let pager = self.session.execute_iter(generation.marks.clone(), ()).await?;
        let mut rows = pager.rows_stream::<(i32, i64, i64)>()?;
        let mut marks = BTreeMap::new();
        while let Some((shard, incarnation, position)) = rows.try_next().await? {
            let place = Place {
                incarnation: u32::try_from(incarnation)?,
                position: position.unsigned_abs(),
            };
            let mark = marks.entry(ShardNumber(u16::try_from(shard)?)).or_insert(place);
            *mark = (*mark).max(place);
        }
        Ok(marks)
    }
}

#[async_trait]
impl ViewStore for ScyllaViews {
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError> {
        let done = self.try_create(view, tables).await;
        done.map_err(|source| self.failed(view, "create a view's tables", source))
    }

    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError> {
        let done = self.try_drop(view).await;
        done.map_err(|source| self.failed(view, "drop a view's generation", source))
    }

    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError> {
        let done = self.try_get(view, keys).await;
        done.map_err(|source| self.failed(view, "read rows", source))
    }

    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError> {
        let run = async {
            let generation = self.generation(view).await?;
            let table = generation.table(view, scan.table)?;
            match Reading::try_new(table, scan)? {
                Some(reading) => reading.run(&self.session, &generation).await,
                None => Ok(Vec::new()),
            }
        };
        run.await
            .map_err(|source| self.failed(view, "read a partition", source))
    }

    async fn flush(&self, view: &ViewRef, flush: Flush) -> Result<(), ViewStoreError> {
        let done = self.try_flush(view, &flush).await;
        done.map_err(|source| self.failed(view, "write a flush", source))
    }

    async fn watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, ViewStoreError> {
        let done = self.try_watermarks(view).await;
        done.map_err(|source| self.failed(view, "read watermarks", source))
    }

    async fn dump(
        &self,
        view: &ViewRef,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, ViewStoreError> {
        let run = async {
            let generation = self.generation(view).await?;
            let prepared = generation.table(view, table.name)?;
            if let Some(after) = after {
                prepared.layout.check(after)?;
            }
            let limit = limit.min(MAX_SCAN);
            let place = (view, table, prepared.as_ref());
            self.dumps.page(&self.session, place, after, limit).await
        };
        run.await
            .map_err(|source| self.failed(view, "dump a table", source))
    }
}
