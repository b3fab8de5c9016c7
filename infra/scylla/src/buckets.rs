//! Which buckets a partition has.
//!
//! A table may be cut by its first clustering column into partitions of bounded size. Where a partition continues is
//! written down in a directory before its rows; an entry is never removed, and all writes of it are the same.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use scylla::client::session::Session;
use scylla::response::PagingState;
use scylla::statement::prepared::PreparedStatement;
use vaultstream_domain::ports::view_store::{Direction, ViewRef};

use crate::schema::Source;

/// Entries that are known to be written; more are written again.
const MAX_KNOWN: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
/// Buckets that are looked up at once.
pub(crate) const LOOKED_UP: usize = 32;

/// One bucket of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) view: ViewRef,
    pub(crate) table: String,
    pub(crate) parts: Vec<u8>,
    pub(crate) bucket: i64,
}

/// The entries this process has written.
pub(crate) struct Known(Mutex<LruCache<Entry, ()>>);

impl Known {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(MAX_KNOWN)))
    }

    pub(crate) fn has(&self, entry: &Entry) -> bool {
        self.lock().get(entry).is_some()
    }

    pub(crate) fn add(&self, entry: Entry) {
        self.lock().put(entry, ());
    }

    /// A generation that was dropped has none.
    pub(crate) fn forget(&self, view: &ViewRef) {
        let mut known = self.lock();
        let gone: Vec<Entry> = known
            .iter()
            .filter(|(entry, ())| entry.view == *view)
            .map(|(entry, ())| entry.clone())
            .collect();
        for entry in gone {
            known.pop(&entry);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Entry, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buckets of a partition from one on, in reading order, at most [`LOOKED_UP`].
pub(crate) async fn from(
    session: &Session,
    statement: &PreparedStatement,
    (table, parts): (&str, &[u8]),
    first: i64,
) -> Result<Vec<i64>, Source> {
    let mut statement = statement.clone();
    statement.set_page_size(i32::try_from(LOOKED_UP)?);
    let (page, _) = session
        .execute_single_page(&statement, (table, parts, first), PagingState::start())
        .await?;
    let rows = page.into_rows_result()?;
    let mut buckets = Vec::with_capacity(LOOKED_UP);
    for row in rows.rows::<(i64,)>()? {
        buckets.push(row?.0);
    }
    Ok(buckets)
}

/// The bucket a reading begins with when nothing says where.
pub(crate) const fn edge(direction: Direction) -> i64 {
    match direction {
        Direction::Forward => 0,
        Direction::Backward => i64::MAX,
    }
}

/// The bucket after one, in reading order; none at the end.
pub(crate) const fn beyond(bucket: i64, direction: Direction) -> Option<i64> {
    match direction {
        Direction::Forward => bucket.checked_add(1),
        Direction::Backward if bucket > 0 => Some(bucket - 1),
        Direction::Backward => None,
    }
}
