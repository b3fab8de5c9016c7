//! Writing: batches of one partition each, a bounded number on their way.
//!
//! Rows of one partition go together in an unlogged batch, which is one mutation for the engine; rows alone go as
//! themselves. Each carries its stamp, so any of it may be sent twice, late, or in any order.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use scylla::client::session::Session;
use scylla::statement::batch::{Batch, BatchType};
use tokio::sync::Semaphore;
use vaultstream_domain::ports::view_store::{RowWrite, ViewRef};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

use crate::bind::{Value, Values, partition_bytes};
use crate::buckets::{Entry, Known};
use crate::error::Refused;
use crate::schema::Source;
use crate::tables::{Generation, Prepared};

/// The most rows of a batch.
const BATCH_ROWS: usize = 100;
/// The most bytes of values in a batch, unless one row alone is larger; ScyllaDB warns at 128 KiB.
const BATCH_BYTES: usize = 64 << 10;
/// The largest value; the engine refuses mutations over half a segment of its commit log, 16 MiB.
const MAX_VALUE: usize = 8 << 20;

/// A row with where it goes.
struct Planned<'a> {
    table: &'a Arc<Prepared>,
    bucket: i64,
    stamp: i64,
    row: &'a RowWrite,
}

impl Planned<'_> {
    fn place(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.row.key, &other.row.key);
        a.table
            .cmp(b.table)
            .then_with(|| a.partition.cmp(&b.partition))
            .then_with(|| self.bucket.cmp(&other.bucket))
    }

    fn values(&self) -> Values<impl Iterator<Item = Value<'_>> + Clone> {
        let key = &self.row.key;
        let head = [Value::Number(self.stamp), Value::Bytes(&self.row.value)];
        Values(
            head.into_iter()
                .chain(key.partition.iter().map(Value::Part))
                .chain([Value::Number(self.bucket)])
                .chain(key.clustering.iter().map(Value::Part)),
        )
    }
}

/// Rows that were checked, in batches.
pub(crate) struct Plan<'a> {
    rows: Vec<Planned<'a>>,
}

impl<'a> Plan<'a> {
    /// Refuses rows that do not fit.
    pub(crate) fn try_new(
        generation: &'a Generation,
        view: &ViewRef,
        rows: &'a [RowWrite],
    ) -> Result<Self, Refused> {
        let mut planned = Vec::with_capacity(rows.len());
        let mut newest: Option<(&str, &Arc<Prepared>)> = None;
        for row in rows {
            let table = match newest {
                Some((name, table)) if name == row.key.table => table,
                _ => generation.table(view, row.key.table)?,
            };
            newest = Some((row.key.table, table));
            table.layout.check(&row.key)?;
            if row.value.len() > MAX_VALUE {
                return Err(Refused(format!(
                    "a value of {} is larger than {MAX_VALUE} bytes",
                    row.key.table
                )));
            }
            let stamp = i64::try_from(row.hlc.0);
            planned.push(Planned {
                table,
                bucket: table.layout.bucket(&row.key.clustering),
                stamp: stamp.map_err(|_| Refused("a stamp must be below 2^63".into()))?,
                row,
            });
        }
        // Projectors write in order of keys, so this finds one long run.
        planned.sort_by(Planned::place);
        Ok(Self { rows: planned })
    }

    /// Buckets that this process has not written down yet.
    pub(crate) fn new_buckets(&self, view: &ViewRef, known: &Known) -> Vec<Entry> {
        let is_cut = |group: &&[Planned<'_>]| group[0].table.layout.width.is_some();
        let groups = self.rows.chunk_by(|a, b| a.place(b).is_eq());
        groups
            .filter(is_cut)
            .map(|group| {
                let Planned { bucket, row, .. } = &group[0];
                Entry {
                    view: view.clone(),
                    table: row.key.table.to_owned(),
                    parts: partition_bytes(&row.key.partition),
                    bucket: *bucket,
                }
            })
            .filter(|entry| !known.has(entry))
            .collect()
    }

    /// Rows of one partition, cut by rows and bytes.
    fn batches(&self) -> Vec<&[Planned<'a>]> {
        let groups = self.rows.chunk_by(|a, b| a.place(b).is_eq());
        groups.flat_map(|group| Chunks { rest: group }).collect()
    }

    /// Writes everything, so many statements at once.
    pub(crate) async fn send(&self, session: &Session, in_flight: &InFlight) -> Result<(), Source> {
        let mut batches = self.batches().into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < in_flight.width {
                let Some(batch) = batches.next() else { break };
                running.push(send_batch(session, in_flight, batch));
            }
            match running.next().await {
                Some(done) => done?,
                None => return Ok(()),
            }
        }
    }
}

/// Statements of writes on their way, over all flushes.
pub(crate) struct InFlight {
    width: usize,
    permits: Semaphore,
}

impl InFlight {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            permits: Semaphore::new(width),
        }
    }
}

/// Cuts a group by rows and bytes.
struct Chunks<'p, 'a> {
    rest: &'p [Planned<'a>],
}

impl<'p, 'a> Iterator for Chunks<'p, 'a> {
    type Item = &'p [Planned<'a>];

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = 0;
        let fits = |planned: &&Planned<'_>| {
            bytes += planned.row.value.len();
            bytes <= BATCH_BYTES
        };
        let count = self.rest.iter().take(BATCH_ROWS).take_while(fits).count();
        let (batch, rest) = self.rest.split_at(count.max(1).min(self.rest.len()));
        self.rest = rest;
        (!batch.is_empty()).then_some(batch)
    }
}

async fn send_batch(session: &Session, in_flight: &InFlight, rows: &[Planned<'_>]) -> Result<(), Source> {
    let _permit = in_flight.permits.acquire().await?;
    if let [one] = rows {
        session.execute_unpaged(&one.table.put, one.values()).await?;
        return Ok(());
    }
    let statements = rows.iter().map(|row| row.table.put.clone().into()).collect();
    let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
    batch.set_is_idempotent(true);
    let values: Vec<_> = rows.iter().map(Planned::values).collect();
    session.batch(&batch, &values).await?;
    Ok(())
}

/// Writes down buckets before their rows.
pub(crate) async fn add_buckets(
    session: &Session,
    generation: &Generation,
    in_flight: &InFlight,
    (known, entries): (&Known, Vec<Entry>),
) -> Result<(), Source> {
    let mut entries = entries.into_iter();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < in_flight.width {
            let Some(entry) = entries.next() else { break };
            running.push(add_bucket(session, generation, in_flight, entry));
        }
        match running.next().await {
            Some(written) => known.add(written?),
            None => return Ok(()),
        }
    }
}

async fn add_bucket(
    session: &Session,
    generation: &Generation,
    in_flight: &InFlight,
    entry: Entry,
) -> Result<Entry, Source> {
    let _permit = in_flight.permits.acquire().await?;
    let values = (entry.table.as_str(), entry.parts.as_slice(), entry.bucket);
    session.execute_unpaged(&generation.put_bucket, values).await?;
    Ok(entry)
}

/// Says how far the generation has come.
pub(crate) async fn add_marks(
    session: &Session,
    generation: &Generation,
    marks: &BTreeMap<ShardNumber, Place>,
) -> Result<(), Source> {
    for (shard, place) in marks {
        let position = i64::try_from(place.position)?;
        let incarnation = i64::from(place.incarnation);
        let values = (position, position, i32::from(shard.0), incarnation);
        session.execute_unpaged(&generation.put_mark, values).await?;
    }
    Ok(())
}
