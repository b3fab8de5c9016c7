//! Stores on the shared engine, each test with keyspaces of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use vaultstream_domain::ports::view_store::{Flush, RowKey, RowWrite};
use vaultstream_engines::Cassandra;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, Hlc, ShardNumber};
use vaultstream_infra_scylla::{ScyllaOptions, ScyllaViews};

/// A prefix that no other test of any process uses.
pub fn prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("t{}_{n}", std::process::id())
}

/// The engine of this test process.
pub async fn engine() -> String {
    tokio::task::spawn_blocking(|| Cassandra::shared().contact_point())
        .await
        .expect("the engine runs")
}

pub async fn options(families: Vec<Family>) -> ScyllaOptions {
    ScyllaOptions::new(vec![engine().await], prefix(), families)
}

pub async fn open(options: &ScyllaOptions) -> ScyllaViews {
    ScyllaViews::open(options.clone()).await.expect("opens")
}

/// A session without any of the adapter's rules.
pub async fn plain(node: &str) -> scylla::client::session::Session {
    scylla::client::session_builder::SessionBuilder::new()
        .known_node(node)
        .build()
        .await
        .expect("connects")
}

pub fn row(key: RowKey, hlc: u64, value: &str) -> RowWrite {
    RowWrite {
        key,
        value: value.as_bytes().to_vec(),
        hlc: Hlc(hlc),
    }
}

pub fn rows(rows: Vec<RowWrite>) -> Flush {
    Flush {
        rows,
        ..Flush::default()
    }
}

pub fn mark(shard: u16, incarnation: u32, position: u64) -> BTreeMap<ShardNumber, Place> {
    let place = Place {
        incarnation,
        position,
    };
    BTreeMap::from([(ShardNumber(shard), place)])
}
