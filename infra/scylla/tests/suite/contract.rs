//! The port's contract, with partitions whole and cut into narrow buckets.

use async_trait::async_trait;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::conformance::view_store::{self as suite, Harness};
use vaultstream_domain::ports::view_store::{Flush, Row, RowKey, Scan, Table, ViewRef, ViewStoreError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;
use vaultstream_infra_scylla::{BucketWidth, ScyllaOptions, ScyllaViews};

use std::collections::BTreeMap;

use crate::setup::{open, options};

/// A store that knows how to open itself again.
struct Views {
    store: ScyllaViews,
    options: ScyllaOptions,
}

#[async_trait]
impl ViewStore for Views {
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

struct Keyspaces {
    buckets: Vec<BucketWidth>,
}

#[async_trait]
impl Harness for Keyspaces {
    type Store = Views;
    async fn fresh(&self) -> Views {
        let options = ScyllaOptions {
            buckets: self.buckets.clone(),
            ..options(suite::families()).await
        };
        Views {
            store: open(&options).await,
            options,
        }
    }
    async fn reopen(&self, views: Views) -> Views {
        drop(views.store);
        Views {
            store: open(&views.options).await,
            options: views.options,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scylla_views_should_keep_the_contract() {
    Box::pin(suite::suite(&Keyspaces { buckets: vec![] })).await;
}

/// Few rows a bucket, buckets far apart, more buckets than are looked up at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_partitions_should_keep_the_contract() {
    let width = |column, width| BucketWidth { column, width };
    let buckets = vec![width("position", 128), width("created", 2)];
    Box::pin(suite::suite(&Keyspaces { buckets })).await;
}
