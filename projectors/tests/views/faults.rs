//! A store that tears: flushes lose their tail, as a crash between two writes would have it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{Flush, Row, RowKey, Scan, Table, ViewRef, ViewStoreError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

/// What of the torn flush is still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torn {
    /// Totals only.
    Totals,
    /// Totals and every other row: a store without transactions may do so.
    HalfOfRows,
    /// Totals and rows, no watermark.
    Rows,
    /// All of it, but the answer is lost.
    Whole,
    /// Nothing tears.
    Nothing,
}

struct Tearing {
    inner: Arc<dyn ViewStore>,
    torn: Torn,
    /// Flushes that still go well.
    left: AtomicU64,
}

/// `inner`, but after `left` flushes one tears.
pub fn torn(inner: Arc<dyn ViewStore>, torn: Torn, left: u64) -> Arc<dyn ViewStore> {
    Arc::new(Tearing {
        inner,
        torn,
        left: AtomicU64::new(left),
    })
}

#[async_trait]
impl ViewStore for Tearing {
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError> {
        self.inner.create(view, tables).await
    }
    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError> {
        self.inner.drop_generation(view).await
    }
    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError> {
        self.inner.get(view, keys).await
    }
    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError> {
        self.inner.scan(view, scan).await
    }
    async fn flush(&self, view: &ViewRef, mut flush: Flush) -> Result<(), ViewStoreError> {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n.saturating_sub(1)));
        if self.torn == Torn::Nothing || left != Ok(0) {
            return self.inner.flush(view, flush).await;
        }
        if self.torn != Torn::Whole {
            flush.watermarks.clear();
        }
        match self.torn {
            Torn::Totals => flush.rows.clear(),
            Torn::HalfOfRows => {
                let mut other = false;
                flush.rows.retain(|_| {
                    other = !other;
                    other
                });
            }
            Torn::Rows | Torn::Whole | Torn::Nothing => {}
        }
        self.inner.flush(view, flush).await?;
        Err(ViewStoreError {
            doing: "write a flush",
            source: "torn by the test".into(),
        })
    }
    async fn watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, ViewStoreError> {
        self.inner.watermarks(view).await
    }
    async fn dump(
        &self,
        view: &ViewRef,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, ViewStoreError> {
        self.inner.dump(view, table, after, limit).await
    }
}
