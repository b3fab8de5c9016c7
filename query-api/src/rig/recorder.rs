//! A view store that notes which views are read, in front of the real one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{Flush, Row, RowKey, Scan, Table, ViewRef, ViewStoreError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

/// The store with its notes.
pub struct Recorder {
    store: Arc<dyn ViewStore>,
    read: Mutex<BTreeSet<&'static str>>,
}

impl Recorder {
    /// In front of a store.
    pub fn new(store: Arc<dyn ViewStore>) -> Self {
        Self {
            store,
            read: Mutex::default(),
        }
    }

    /// The views whose rows were read since the last call.
    pub fn take(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, view: &ViewRef) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(view.view);
    }
}

#[async_trait]
impl ViewStore for Recorder {
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError> {
        self.store.create(view, tables).await
    }
    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError> {
        self.store.drop_generation(view).await
    }
    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError> {
        self.note(view);
        self.store.get(view, keys).await
    }
    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError> {
        self.note(view);
        self.store.scan(view, scan).await
    }
    async fn flush(&self, view: &ViewRef, flush: Flush) -> Result<(), ViewStoreError> {
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
