//! The contract, and what only this adapter can get wrong.

use async_trait::async_trait;
use tempfile::TempDir;
use vaultstream_domain::ports::conformance::view_store::{self as suite, Harness};
use vaultstream_domain::ports::view_store::{Column, KeyType, Table};

use super::*;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }
    fn open(&self) -> SqliteViews {
        SqliteViews::open(&ViewOptions::new(self.0.path(), suite::families())).expect("opens")
    }
}

struct Views {
    store: SqliteViews,
    files: Files,
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

struct Sqlite;

#[async_trait]
impl Harness for Sqlite {
    type Store = Views;
    async fn fresh(&self) -> Views {
        let files = Files::new();
        Views {
            store: files.open(),
            files,
        }
    }
    async fn reopen(&self, views: Views) -> Views {
        drop(views.store);
        Views {
            store: views.files.open(),
            files: views.files,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_views_should_keep_the_contract() {
    suite::suite(&Sqlite).await;
}

#[tokio::test]
async fn names_that_are_no_identifiers_should_be_refused() {
    let files = Files::new();
    let store = files.open();
    let view = ViewRef {
        family: Family::Core,
        view: "vaults",
        generation: 1,
    };
    const COLUMNS: &[Column] = &[Column {
        name: "id",
        kind: KeyType::Text,
    }];
    for name in ["x; DROP TABLE watermark", "Vault", "", "a__dead", "1a"] {
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let table = Table {
            name,
            partition: COLUMNS,
            clustering: &[],
        };
        store.create(&view, &[table]).await.expect_err(name);
    }
    let table = Table {
        name: "nothing",
        partition: &[],
        clustering: COLUMNS,
    };
    store
        .create(&view, &[table])
        .await
        .expect_err("a table without a partition");
}

#[tokio::test]
async fn one_bad_flush_should_not_take_its_neighbours_with_it() {
    let files = Files::new();
    let store = files.open();
    let view = suite::view(1);
    store.create(&view, &suite::TABLES).await.expect("created");
    let stranger = ViewRef {
        view: "never_created",
        ..view.clone()
    };
    let good = (1..=8).map(|i| store.flush(&view, suite::one_row(i)));
    let bad = store.flush(&stranger, suite::one_row(9));
    let (good, bad) = futures::join!(futures::future::join_all(good), bad);
    bad.expect_err("the generation was never created");
    for done in good {
        done.expect("written");
    }
}
