//! Reading: rows by key, and parts of partitions page by page.
//!
//! An empty value is a removed row; readers step over it here, because the engine keeps it for its stamp. Pages of the
//! engine are bounded, whatever limit was asked for.

use std::cmp::Ordering;

use futures::{StreamExt, TryStreamExt};
use scylla::client::session::Session;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::prepared::PreparedStatement;
use vaultstream_domain::ports::view_store::{Direction, KeyPart, MAX_SCAN, Row, RowKey, Scan};

use crate::bind::{Found, Value, Values, partition_bytes};
use crate::buckets::{self, LOOKED_UP};
use crate::error::Refused;
use crate::layout::{Layout, Shape};
use crate::schema::Source;
use crate::tables::{Generation, PAGE, Prepared};

/// Rows by key that are asked for at once, by one call.
const GETS: usize = 64;
/// Buckets that are read at once when one alone did not fill the page.
const MAX_WAVE: usize = 8;

/// The live values under keys that were checked.
pub(crate) async fn get(
    session: &Session,
    keys: &[(&Prepared, &RowKey)],
) -> Result<Vec<Option<Vec<u8>>>, Source> {
    let read = async |(table, key): &(&Prepared, &RowKey)| -> Result<_, Source> {
        let bucket = table.layout.bucket(&key.clustering);
        let values = Values(
            key.partition
                .iter()
                .map(Value::Part)
                .chain([Value::Number(bucket)])
                .chain(key.clustering.iter().map(Value::Part)),
        );
        let answer = session.execute_unpaged(&table.get, values).await?;
        let rows = answer.into_rows_result()?;
        let row = rows.maybe_first_row::<Found>()?;
        Ok(row.map(|found| found.value).filter(|value| !value.is_empty()))
    };
    futures::stream::iter(keys.iter().map(read))
        .buffered(GETS)
        .try_collect()
        .await
}

/// A scan that was checked, and where it begins.
pub(crate) struct Reading<'a> {
    table: &'a Prepared,
    scan: &'a Scan,
    shape: Shape,
    limit: usize,
}

impl<'a> Reading<'a> {
    /// None when nothing can be in it.
    pub(crate) fn try_new(table: &'a Prepared, scan: &'a Scan) -> Result<Option<Self>, Refused> {
        let layout = &table.layout;
        check(layout, scan)?;
        let limit = scan.limit.min(MAX_SCAN);
        let mut shape = Shape {
            prefix: scan.prefix.len(),
            bound: false,
            backward: scan.direction == Direction::Backward,
        };
        if let Some(after) = &scan.after {
            let (head, rest) = after.split_at(scan.prefix.len());
            let side = match scan.direction {
                Direction::Forward => head.cmp(&scan.prefix),
                Direction::Backward => head.cmp(&scan.prefix).reverse(),
            };
            match side {
                // The bound lies before the prefix, so it cuts nothing off.
                Ordering::Less => {}
                // The bound lies behind the prefix, or is the one row that the prefix names.
                Ordering::Greater => return Ok(None),
                Ordering::Equal if rest.is_empty() => return Ok(None),
                Ordering::Equal => shape.bound = true,
            }
        }
        let reading = Self {
            table,
            scan,
            shape,
            limit,
        };
        Ok((limit > 0).then_some(reading))
    }

    /// Reads it.
    pub(crate) async fn run(&self, session: &Session, generation: &Generation) -> Result<Vec<Row>, Source> {
        let statement = self.table.scan(session, self.shape).await?;
        let layout = &self.table.layout;
        if layout.width.is_none() || !self.scan.prefix.is_empty() {
            let bucket = layout.bucket(&self.scan.prefix);
            return self.bucket(session, statement, (bucket, true), self.limit).await;
        }
        self.buckets(session, generation, statement).await
    }

    /// Bucket after bucket, in reading order, until the page is full.
    async fn buckets(
        &self,
        session: &Session,
        generation: &Generation,
        statement: PreparedStatement,
    ) -> Result<Vec<Row>, Source> {
        let direction = self.scan.direction;
        let directory = match direction {
            Direction::Forward => &generation.buckets_up,
            Direction::Backward => &generation.buckets_down,
        };
        let parts = partition_bytes(&self.scan.partition);
        let place = (self.scan.table, parts.as_slice());
        let mut rows = Vec::new();
        let mut first = buckets::edge(direction);
        if let Some(after) = self.scan.after.as_ref().filter(|_| self.shape.bound) {
            let bucket = self.table.layout.bucket(after);
            rows = self
                .bucket(session, statement.clone(), (bucket, true), self.limit)
                .await?;
            match buckets::beyond(bucket, direction) {
                Some(next) if rows.len() < self.limit => first = next,
                _ => return Ok(rows),
            }
        }
        // Rows of buckets that the bound does not reach into.
        let free = Shape {
            bound: false,
            ..self.shape
        };
        let statement = self.table.scan(session, free).await?;
        loop {
            let found = buckets::from(session, directory, place, first).await?;
            let mut left = found.as_slice();
            let mut wave = 1;
            while !left.is_empty() && rows.len() < self.limit {
                let (now, later) = left.split_at(wave.min(left.len()));
                let wanted = self.limit - rows.len();
                let reads = now
                    .iter()
                    .map(|bucket| self.bucket(session, statement.clone(), (*bucket, false), wanted));
                for part in futures::future::try_join_all(reads).await? {
                    rows.extend(part);
                }
                (left, wave) = (later, (wave * 2).min(MAX_WAVE));
            }
            rows.truncate(self.limit);
            let next = found.last().and_then(|last| buckets::beyond(*last, direction));
            match next {
                Some(next) if found.len() == LOOKED_UP && rows.len() < self.limit => first = next,
                _ => return Ok(rows),
            }
        }
    }

    /// Live rows of one bucket; the bound is given where the statement has one.
    async fn bucket(
        &self,
        session: &Session,
        mut statement: PreparedStatement,
        (bucket, bound): (i64, bool),
        wanted: usize,
    ) -> Result<Vec<Row>, Source> {
        let bound = self.scan.after.as_ref().filter(|_| bound && self.shape.bound);
        let values = Values(
            self.scan
                .partition
                .iter()
                .map(Value::Part)
                .chain([Value::Number(bucket)])
                .chain(bound.into_iter().flatten().map(Value::Part))
                .chain(self.scan.prefix.iter().map(Value::Part)),
        );
        statement.set_page_size(i32::try_from(wanted)?.clamp(1, PAGE));
        let mut rows = Vec::new();
        let mut paging = PagingState::start();
        loop {
            let (page, next) = session.execute_single_page(&statement, &values, paging).await?;
            let page = page.into_rows_result()?;
            for found in page.rows::<Found>()? {
                let Found { parts, value } = found?;
                if !value.is_empty() && rows.len() < wanted {
                    rows.push(Row {
                        clustering: parts,
                        value,
                    });
                }
            }
            match next {
                PagingStateResponse::HasMorePages { state } if rows.len() < wanted => {
                    // Few rows are left to find, but graves may lie in between: pages of them are long ones.
                    statement.set_page_size(PAGE);
                    paging = state;
                }
                _ => return Ok(rows),
            }
        }
    }
}

fn check(layout: &Layout, scan: &Scan) -> Result<(), Refused> {
    if scan.partition.len() != layout.partition || scan.prefix.len() > layout.clustering() {
        return Err(Refused(format!(
            "a scan of {} has another number of parts",
            scan.table
        )));
    }
    layout.check_parts(0, scan.partition.iter().chain(&scan.prefix))?;
    let after: &[KeyPart] = match &scan.after {
        None => return Ok(()),
        Some(after) => after,
    };
    if after.len() != layout.clustering() {
        return Err(Refused(format!(
            "a bound of {} must have every part of the clustering",
            scan.table
        )));
    }
    layout.check_parts(layout.partition, after.iter())
}
