//! One log, imported: PostgreSQL, relay, Kafka, projector, ScyllaDB (Apache Cassandra in its place) on one side; SQLite,
//! its own bus, projector, SQLite on the other; and every view dumped.
//!
//! A part of the log is imported before the cluster starts and the rest while it runs, so that its projectors scan, join
//! and follow. That the records really came over Kafka is counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use vaultstream_domain::ports::EventLog;
use vaultstream_engines::Cassandra;
use vaultstream_infra_scylla::{ScyllaOptions, ScyllaViews};
use vaultstream_infra_sqlite::{SqliteViews, ViewOptions};
use vaultstream_kernel::archive::Importer;
use vaultstream_projectors::ProjectorOptions;

use crate::history::History;
use crate::node::{Node, families, log, stored};
use crate::way::Way;
use crate::{lines, script};

async fn import(log: &dyn EventLog, archive: &[String]) -> Result<u64> {
    let (header, records) = archive.split_first().context("an archive has a header")?;
    let mut importer = Importer::start(log, header.as_bytes()).await?;
    for record in records {
        importer.take(record.as_bytes()).await?;
    }
    Ok(importer.finish().await?.events)
}

/// Small flushes and small caches on the cluster's side, so that rows come back from the store often.
fn busy() -> ProjectorOptions {
    ProjectorOptions {
        read: 100,
        cache_rows: 60,
        ..ProjectorOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_log_imported_should_leave_the_same_bytes_in_both_view_stores() -> Result<()> {
    let (sqlite, dir) = log();
    let sqlite: Arc<dyn EventLog> = sqlite;
    // What people ask for, through the executor; and executions that live as a chain makes them live.
    script::run(&sqlite).await?;
    History::new(sqlite.registry(), 77)
        .live(sqlite.as_ref(), 1_500)
        .await;
    let (first, rest) = (
        lines(sqlite.as_ref(), 0..40).await?,
        lines(sqlite.as_ref(), 40..100).await?,
    );

    let way = Way::new("views", families()).await?;
    let pg = way.log.clone();
    import(pg.as_ref(), &first).await?;
    let (stop, relaying) = way.relay()?;
    let cql = tokio::task::spawn_blocking(|| Cassandra::shared().contact_point()).await?;
    let options = ScyllaOptions::new(vec![cql], &way.name, stored());
    let scylla = ScyllaViews::open(options).await?;
    let bus = Arc::new(way.bus()?);
    let cluster = Node::over(bus.clone(), pg.clone(), Arc::new(scylla), busy());
    let views = SqliteViews::open(&ViewOptions::new(dir.path(), stored()))?;
    let embedded = Node::start(sqlite.clone(), Arc::new(views), ProjectorOptions::default());
    let live = import(pg.as_ref(), &rest).await?;
    embedded.caught_up().await;
    cluster.caught_up().await;

    let (one, other) = (embedded.dumps().await, cluster.dumps().await);
    ensure!(
        one.len() == other.len(),
        "{} and {} views",
        one.len(),
        other.len()
    );
    for ((name, family), bytes) in &one {
        let theirs = &other[&(*name, family.clone())];
        ensure!(
            bytes == theirs,
            "{name} in {family} differs:\n{}\n{}",
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(theirs)
        );
    }
    let size: usize = one.values().map(Vec::len).sum();
    ensure!(size > 100_000, "dumps of {size} bytes prove little");
    let came = bus.records.load(Ordering::SeqCst);
    ensure!(
        came as u64 >= live / 2,
        "only {came} records came over Kafka while {live} were imported: the log did the rest"
    );
    embedded.stop();
    cluster.stop();
    stop.cancel();
    relaying.ended().await;
    Ok(())
}
