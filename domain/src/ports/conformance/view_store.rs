//! The contract of a view store as code.
//!
//! Rows converge whatever order their writes arrive in; scans and dumps follow the order of keys; views, generations and
//! families do not see each other; what is flushed survives a restart.

mod apart;
mod dumps;
mod hostile;
mod merging;
mod pages;
mod restart;
mod scans;

use std::collections::BTreeMap;

use async_trait::async_trait;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, ShardNumber, Slug};

use crate::ports::ViewStore;
use crate::ports::view_store::{
    Column, Direction, Flush, KeyPart, KeyType, MAX_SCAN, Row, RowKey, RowWrite, Scan, Table, ViewRef,
};

/// Makes stores of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Store: ViewStore;
    /// A new, empty one that serves [`families`].
    async fn fresh(&self) -> Self::Store;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, store: Self::Store) -> Self::Store;
}

const fn text(name: &'static str) -> Column {
    Column {
        name,
        kind: KeyType::Text,
    }
}
const fn number(name: &'static str) -> Column {
    Column {
        name,
        kind: KeyType::Number,
    }
}

/// Rows by id.
pub const BY_ID: Table = Table {
    name: "by_id",
    partition: &[text("owner"), text("id")],
    clustering: &[],
};
/// Rows in order.
pub const LISTED: Table = Table {
    name: "listed",
    partition: &[text("owner")],
    clustering: &[number("created"), text("id")],
};
/// Rows whose partition is a number.
pub const COUNTED: Table = Table {
    name: "counted",
    partition: &[number("shard")],
    clustering: &[number("position")],
};
/// The suite's tables.
pub const TABLES: [Table; 3] = [BY_ID, LISTED, COUNTED];

/// The suite's families.
pub fn families() -> Vec<Family> {
    vec![
        Family::Core,
        Family::Chain(Slug::try_new("eth_test").expect("a valid slug")),
    ]
}

/// A generation of the suite's view.
pub const fn view(generation: u32) -> ViewRef {
    ViewRef {
        family: Family::Core,
        view: "suite",
        generation,
    }
}

fn id_key(owner: &str, id: &str) -> RowKey {
    RowKey {
        table: BY_ID.name,
        partition: vec![owner.into(), id.into()],
        clustering: vec![],
    }
}

fn list_key(owner: &str, created: u64, id: &str) -> RowKey {
    RowKey {
        table: LISTED.name,
        partition: vec![owner.into()],
        clustering: vec![created.into(), id.into()],
    }
}

fn write(key: RowKey, hlc: u64, value: &str) -> RowWrite {
    RowWrite {
        key,
        value: value.as_bytes().to_vec(),
        hlc: Hlc(hlc),
    }
}

fn rows(rows: Vec<RowWrite>) -> Flush {
    Flush {
        rows,
        ..Flush::default()
    }
}

/// A flush of one row.
pub fn one_row(n: u64) -> Flush {
    rows(vec![write(id_key("owner", &n.to_string()), n, "value")])
}

fn listed(direction: Direction) -> Scan {
    Scan {
        table: LISTED.name,
        partition: vec!["a".into()],
        prefix: vec![],
        after: None,
        direction,
        limit: MAX_SCAN,
    }
}

fn names(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|row| String::from_utf8_lossy(&row.value).into_owned())
        .collect()
}

async fn created(harness: &impl Harness) -> impl ViewStore {
    let store = harness.fresh().await;
    store.create(&view(1), &TABLES).await.expect("created");
    store
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    merging::rows_should_converge_in_any_order(&created(harness).await).await;
    merging::equal_stamps_should_keep_the_larger_value(&created(harness).await).await;
    scans::scans_should_follow_the_keys(&created(harness).await).await;
    scans::bounds_and_prefixes_should_cut_exactly(&created(harness).await).await;
    pages::pages_should_hold_still_under_inserts(&created(harness).await).await;
    pages::long_scans_should_be_cut(&created(harness).await).await;
    apart::generations_should_not_see_each_other(&created(harness).await).await;
    apart::families_should_not_see_each_other(&created(harness).await).await;
    pages::watermarks_should_never_go_back(&created(harness).await).await;
    dumps::dumps_should_page_through_everything(&created(harness).await).await;
    dumps::malformed_keys_should_be_refused(&created(harness).await).await;
    hostile::keys_should_come_back_as_they_were(&created(harness).await).await;
    hostile::values_should_be_compared_byte_by_byte(&created(harness).await).await;
    hostile::long_partitions_should_be_read_both_ways(&created(harness).await).await;
    restart::flushes_should_survive_a_restart(harness).await;
}
