//! Makes the event table's next segment before it is needed.
//!
//! Invariant: beyond every head there is at least one segment that nothing has been written to, unless a process wrote
//! a whole segment faster than one could be made; an append that finds none makes it and is sent again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::database::Database;

const ENSURE: &str = "SELECT vaultstream.ensure_segments($1)";
const SIZE: &str = "SELECT segment FROM vaultstream.identity";

/// The segments of one database, as far as this process knows.
#[derive(Debug)]
pub(super) struct Segments {
    size: u64,
    /// The first position without a segment.
    end: AtomicU64,
    /// Whether a task is making one.
    making: AtomicBool,
}

impl Segments {
    /// Makes what positions up to `position` and the segment after them need.
    pub(super) async fn init(database: &Database, position: u64) -> Result<Self, sqlx::Error> {
        let size: i64 = sqlx::query_scalar(SIZE).fetch_one(database.append()).await?;
        let segments = Self {
            size: size.cast_unsigned().max(1),
            end: AtomicU64::new(0),
            making: AtomicBool::new(false),
        };
        segments.ensure(database, position).await?;
        Ok(segments)
    }

    /// Whether this is the time to make another one: the last one is being written.
    pub(super) fn is_due(&self, position: u64) -> bool {
        position.saturating_add(self.size) >= self.end.load(Ordering::Acquire)
            && !self.making.swap(true, Ordering::AcqRel)
    }

    /// Makes what positions up to `position` and the segment after them need.
    pub(super) async fn ensure(&self, database: &Database, position: u64) -> Result<(), sqlx::Error> {
        let up_to = i64::try_from(position.saturating_add(self.size)).unwrap_or(i64::MAX);
        let made: Result<i64, _> = sqlx::query_scalar(ENSURE)
            .bind(up_to)
            .fetch_one(database.append())
            .await;
        self.making.store(false, Ordering::Release);
        self.end.fetch_max(made?.cast_unsigned(), Ordering::AcqRel);
        Ok(())
    }
}

/// Whether an append failed because there was no segment for it.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    // 23514 is what a partitioned table without a place for a row gives; the table has no other check.
    crate::error::sqlstate(error).as_deref() == Some("23514")
}
