//! Views on an engine that speaks CQL: rows a second through the view store against the raw driver, and a rebuild beside
//! reads.
//!
//! The baseline is the driver alone: the same tables, statements, values and partition batches, as many on their way. So
//! the ratio is the price of checking keys, grouping rows, buckets, and the order totals, rows, watermark.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::view_store::{
    Flush, KeyPart, Row, RowKey, RowWrite, Scan, Table, ViewRef, ViewStoreError,
};
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_engines::Cassandra;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{Family, Hlc, ShardNumber};
use vaultstream_infra_scylla::{ScyllaOptions, ScyllaViews};
use vaultstream_projectors::ViewName;
use vaultstream_projectors::tables::{self, key, n, t};

use crate::line::BenchLine;
use crate::rebuild::{Node, per_second, read, slug};

/// Rows of one comparison, half of them alone in their partition.
const ROWS: u64 = 160_000;
/// Rows of one flush, as projectors cut them.
const FLUSH: u64 = 8_000;
/// Rounds of both; the best of each counts.
const ROUNDS: u32 = 3;
const IN_FLIGHT: usize = 128;
const VAULTS: u64 = 100;
/// A day in microseconds: the width of a bucket of times.
const DAY_US: u64 = 86_400_000_000;
const START_US: u64 = 1_795_000_000_000_000;
/// Events of the rebuild.
const EVENTS: usize = 150_000;

/// Measures.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let engine = tokio::task::spawn_blocking(|| Cassandra::shared().contact_point()).await?;
    let families = vec![Family::Core, Family::Chain(slug()?)];
    let prefix = format!("bench_{}", std::process::id());
    let options = ScyllaOptions {
        in_flight: IN_FLIGHT,
        ..ScyllaOptions::new(vec![engine.clone()], prefix.clone(), families)
    };
    let views = Arc::new(ScyllaViews::open(options).await?);
    let session = SessionBuilder::new().known_node(engine).build().await?;
    let raw = rows(out, &views, &session, &prefix).await?;
    rebuild(out, views, raw).await
}

/// Rows a second, both ways, in turns. Answers the raw rate.
async fn rows(out: &mut Vec<BenchLine>, views: &ScyllaViews, session: &Session, prefix: &str) -> Result<f64> {
    let (mut best, mut raw): (f64, f64) = (0.0, 0.0);
    // The first round warms the engine up.
    for round in 0..=ROUNDS {
        let (through, alone) = (at(2 * round + 1)?, at(2 * round + 2)?);
        for view in [&through, &alone] {
            views
                .create(view, &[tables::TRANSFER, tables::TRANSFER_BY_VAULT])
                .await?;
        }
        let flushes: Vec<Flush> = (0..ROWS / FLUSH).map(flush).collect();
        let begun = Instant::now();
        for flush in flushes {
            views.flush(&through, flush).await?;
        }
        let rate = per_second(usize::try_from(ROWS)?, begun.elapsed());
        let flushes: Vec<Flush> = (0..ROWS / FLUSH).map(flush).collect();
        let statements = Raw::prepare(session, prefix, &alone).await?;
        let begun = Instant::now();
        for flush in &flushes {
            statements.write(session, flush).await?;
        }
        let raw_rate = per_second(usize::try_from(ROWS)?, begun.elapsed());
        eprintln!("rows: {rate:.0}/s through the view store, {raw_rate:.0}/s by the driver alone");
        if round > 0 {
            best = best.max(rate);
            raw = raw.max(raw_rate);
        }
        for view in [&through, &alone] {
            views.drop_generation(view).await?;
        }
    }
    out.push(BenchLine::against(
        "rows to CQL by a projector, against the raw driver with the same batches",
        best,
        "rows/s",
        raw,
        0.7,
    ));
    Ok(raw)
}

fn at(generation: u32) -> Result<ViewRef> {
    Ok(ViewRef {
        family: Family::Chain(slug()?),
        view: "rows",
        generation,
    })
}

/// Index entries of some vaults, then the rows themselves, in order of keys as projectors give them.
fn flush(number: u64) -> Flush {
    let ids: Vec<u64> = (number * FLUSH / 2..(number + 1) * FLUSH / 2).collect();
    let organization = || t("org_0193b0f2-7a3c-7c11-8000-000000000001");
    let id = |i: u64| t(format!("trf_{i:032x}"));
    let write = |key: RowKey, i: u64, size: usize| RowWrite {
        key,
        value: vec![b'x'; size],
        hlc: Hlc(START_US + i * 4),
    };
    let mut totals: Vec<RowWrite> = ids
        .iter()
        .map(|i| {
            let vault = t(format!("vlt_{:032x}", i % VAULTS));
            let at = key(
                &tables::TRANSFER_BY_VAULT,
                [organization(), vault],
                [n(START_US + i), id(*i)],
            );
            write(at, *i, 60)
        })
        .collect();
    totals.sort_by(|a, b| a.key.cmp(&b.key));
    let rows = ids
        .iter()
        .map(|i| write(key(&tables::TRANSFER, [organization(), id(*i)], []), *i, 600))
        .collect();
    let place = Place {
        incarnation: 1,
        position: (number + 1) * FLUSH,
    };
    Flush {
        totals,
        rows,
        watermarks: BTreeMap::from([(ShardNumber(1), place)]),
    }
}

/// The driver alone.
struct Raw {
    entry: PreparedStatement,
    row: PreparedStatement,
}

impl Raw {
    async fn prepare(session: &Session, prefix: &str, view: &ViewRef) -> Result<Self> {
        let stem = format!("{prefix}_{}.{}_g{}", view.family, view.view, view.generation);
        let entry = format!(
            "UPDATE {stem}_transfer_by_vault USING TIMESTAMP ? SET value = ? \
             WHERE organization = ? AND vault = ? AND bucket = ? AND created = ? AND id = ?"
        );
        let row = format!(
            "UPDATE {stem}_transfer USING TIMESTAMP ? SET value = ? WHERE organization = ? AND id = ? AND bucket = ?"
        );
        let (mut entry, mut row) = (session.prepare(entry).await?, session.prepare(row).await?);
        entry.set_is_idempotent(true);
        row.set_is_idempotent(true);
        Ok(Self { entry, row })
    }

    async fn write(&self, session: &Session, flush: &Flush) -> Result<()> {
        let mut batches = Vec::new();
        for vault in flush.totals.chunk_by(|a, b| a.key.partition == b.key.partition) {
            batches.extend(vault.chunks(100));
        }
        let batches: Vec<_> = batches
            .into_iter()
            .map(|rows| self.batch(session, rows))
            .collect();
        let alone: Vec<_> = flush.rows.iter().map(|row| self.one(session, row)).collect();
        let entries = futures::stream::iter(batches).buffer_unordered(IN_FLIGHT);
        entries.try_collect::<()>().await?;
        let rows = futures::stream::iter(alone).buffer_unordered(IN_FLIGHT);
        rows.try_collect::<()>().await
    }

    async fn batch(&self, session: &Session, rows: &[RowWrite]) -> Result<()> {
        let statements = rows.iter().map(|_| self.entry.clone().into()).collect();
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        batch.set_is_idempotent(true);
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            let (parts, rest) = (texts(&row.key.partition)?, &row.key.clustering);
            let [KeyPart::Number(created), id] = rest.as_slice() else {
                anyhow::bail!("an entry has a time and an id");
            };
            let id = texts(std::slice::from_ref(id))?[0];
            let (stamp, created) = (i64::try_from(row.hlc.0)?, i64::try_from(*created)?);
            let bucket = created / i64::try_from(DAY_US)?;
            values.push((
                stamp,
                row.value.as_slice(),
                parts[0],
                parts[1],
                bucket,
                created,
                id,
            ));
        }
        session.batch(&batch, &values).await?;
        Ok(())
    }

    async fn one(&self, session: &Session, row: &RowWrite) -> Result<()> {
        let parts = texts(&row.key.partition)?;
        let values = (
            i64::try_from(row.hlc.0)?,
            row.value.as_slice(),
            parts[0],
            parts[1],
            0i64,
        );
        session.execute_unpaged(&self.row, values).await?;
        Ok(())
    }
}

fn texts(parts: &[KeyPart]) -> Result<Vec<&str>> {
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts {
        let KeyPart::Text(text) = part else {
            anyhow::bail!("a text is wanted");
        };
        texts.push(text.as_str());
    }
    Ok(texts)
}

/// Counts rows on their way to the store.
struct Counting {
    store: Arc<ScyllaViews>,
    rows: AtomicU64,
}

#[async_trait]
impl ViewStore for Counting {
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError> {
        self.store.create(view, tables).await
    }
    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError> {
        self.store.drop_generation(view).await
    }
    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError> {
        self.store.get(view, keys).await
    }
    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError> {
        self.store.scan(view, scan).await
    }
    async fn flush(&self, view: &ViewRef, flush: Flush) -> Result<(), ViewStoreError> {
        let rows = u64::try_from(flush.totals.len() + flush.rows.len()).unwrap_or(0);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.store.flush(view, flush).await
    }
    async fn watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, ViewStoreError> {
        self.store.watermarks(view).await
    }
    async fn dump(
        &self,
        view: &ViewRef,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, ViewStoreError> {
        self.store.dump(view, table, after, limit).await
    }
}

/// A view is rebuilt while lists are read: no read fails, the digests are equal, and it takes what its rows take.
async fn rebuild(out: &mut Vec<BenchLine>, views: Arc<ScyllaViews>, raw: f64) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    let store = Arc::new(Counting {
        store: views,
        rows: AtomicU64::new(0),
    });
    let node = Node::over(dir.path(), store.clone())?;
    let events = node.fill_log(EVENTS).await?;
    node.projector.prepare().await?;
    let shutdown = CancellationToken::new();
    let begun = Instant::now();
    let running = tokio::spawn({
        let (projector, shutdown) = (node.projector.clone(), shutdown.clone());
        async move { projector.run(shutdown).await }
    });
    caught_up(&node).await?;
    eprintln!(
        "projectors over CQL, all views: {:.0} events/s",
        per_second(events, begun.elapsed())
    );
    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(read(node.reads.clone(), stop.clone()));
    store.rows.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    let rebuilt = node
        .projector
        .rebuild(ViewName::Transfers, &node.family, "bench", &shutdown)
        .await?;
    let (whole, rows) = (begun.elapsed(), store.rows.load(Ordering::Relaxed));
    stop.store(true, Ordering::SeqCst);
    let reads = reading.await?.context("a read failed during the rebuild")?;
    shutdown.cancel();
    running.await??;
    ensure!(
        rebuilt.same == Some(true) && reads > 0,
        "the rebuild must equal what it replaces"
    );
    let fill = Duration::from_micros(rebuilt.fill_us);
    let rate = per_second(usize::try_from(rebuilt.events)?, fill);
    let per_event = per_second(usize::try_from(rows)?, fill) / rate;
    eprintln!(
        "rebuild over CQL: {} events, {per_event:.2} rows each, in {fill:.1?}; compared and switched after \
         {whole:.1?}, {reads} reads beside it",
        rebuilt.events
    );
    out.push(BenchLine::against(
        "rebuild over CQL, reads going on, against raw rows/s by rows per event",
        rate,
        "events/s",
        raw / per_event,
        0.6,
    ));
    Ok(())
}

async fn caught_up(node: &Node) -> Result<()> {
    let heads = node.log.heads().await?;
    let place = |h: &Head| Place {
        incarnation: h.incarnation,
        position: h.position,
    };
    let positions = Positions(heads.iter().map(|(shard, head)| (*shard, place(head))).collect());
    node.reads.wait(&ViewName::ALL, &positions, 600_000).await?;
    Ok(())
}
