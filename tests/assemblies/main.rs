//! One truth, two assemblies: the same script, with the same time and the same ids, leaves the same bytes in both logs;
//! and one log, imported, leaves the same bytes in both view stores. Beside them what needs several engines of the cluster.
//!
//! The script runs through the production executor, one command after another, and is as unkind as real ones: refusals,
//! repetitions, commands that change nothing, several streams in one command.

mod backup;
mod half_open;
#[path = "../../projectors/tests/views/history.rs"]
#[expect(dead_code, reason = "the views' own tests ask more of it")]
mod history;
#[path = "../../projectors/tests/views/life.rs"]
mod life;
#[path = "../../infra/scylla/tests/suite/node.rs"]
#[expect(dead_code, reason = "the suite that it belongs to asks more of it")]
mod node;
mod script;
mod standstill;
mod views;
mod way;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use sqlx::Connection;
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_engines::Postgres;
use vaultstream_event_schemas::{Family, Slug};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_infra_sqlite::{Options as SqliteOptions, SqliteLog};
use vaultstream_kernel::archive::{Range, export};

fn families() -> Result<Vec<(Family, u16)>> {
    let slug = Slug::try_new("eth_test")?;
    Ok(vec![
        (Family::Core, 2),
        (Family::Audit, 1),
        (Family::Chain(slug), 2),
    ])
}

/// Where a database is on the engine that the tests share.
async fn url(name: &str) -> Result<String> {
    let server = tokio::task::spawn_blocking(|| Postgres::shared().url()).await?;
    let (base, _) = server.rsplit_once('/').context("the url names a database")?;
    Ok(format!("{base}/{name}"))
}

/// A new, empty database.
async fn database(name: &str) -> Result<String> {
    let mut connection = sqlx::PgConnection::connect(&url("postgres").await?).await?;
    sqlx::raw_sql(&format!("DROP DATABASE IF EXISTS {name}"))
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql(&format!("CREATE DATABASE {name}"))
        .execute(&mut connection)
        .await?;
    url(name).await
}

/// A log in a database of its own.
async fn postgres(name: &str, families: Vec<(Family, u16)>) -> Result<PgLog> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = DatabaseConfig::new("main", database(name).await?);
    let options = PgLogOptions::new("assemblies", vec![database], families, clock);
    Ok(PgLog::open(&options).await?)
}

/// The archive of a part of the log: of every shard what lies between the parts of its head, in hundredths.
async fn lines(log: &dyn EventLog, part: std::ops::Range<u64>) -> Result<Vec<String>> {
    let heads = log.heads().await?;
    let ranges: Vec<_> = heads
        .iter()
        .map(|(shard, head)| Range {
            shard: *shard,
            after: head.position * part.start / 100,
            upto: head.position * part.end / 100,
        })
        .collect();
    let mut lines = Vec::new();
    export(log, &ranges, |line| {
        lines.push(String::from_utf8_lossy(line).into_owned());
        Ok(())
    })
    .await?;
    Ok(lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_script_should_leave_the_same_bytes_in_both_logs() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let sqlite = SqliteLog::open(&SqliteOptions::new(dir.path().join("log.db"), families()?))?;
    let logs: [Arc<dyn EventLog>; 2] = [
        Arc::new(sqlite),
        Arc::new(postgres("vs_script", families()?).await?),
    ];
    let mut said = Vec::new();
    for log in &logs {
        said.push(script::run(log).await?);
    }
    ensure!(
        said[0] == said[1],
        "the callers were told different things:\n{:#?}\n{:#?}",
        said[0],
        said[1]
    );
    let (embedded, cluster) = (
        lines(logs[0].as_ref(), 0..100).await?,
        lines(logs[1].as_ref(), 0..100).await?,
    );
    for (n, (left, right)) in embedded.iter().zip(&cluster).enumerate() {
        ensure!(left == right, "line {n} differs:\n{left}\n{right}");
    }
    ensure!(
        embedded.len() == cluster.len(),
        "{} and {} lines",
        embedded.len(),
        cluster.len()
    );
    ensure!(
        embedded.len() > 50,
        "a script of {} lines proves little",
        embedded.len()
    );
    Ok(())
}
