//! PostgreSQL put back by its own means, base backup and WAL to a moment, and then declared: what a provider's restore and
//! an administrator's recovery end in.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use vaultstream_domain::ports::conformance::sample;
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_engines::Postgres;
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions, PgTarget};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::backup::{LogSource, verify};

use super::bed::{Bed, Kind, audited};

async fn log_on(url: &str) -> Result<PgLog> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = DatabaseConfig::new("main", url);
    let options = PgLogOptions::new("assemblies", vec![database], sample::families(), clock);
    Ok(PgLog::open(&options).await?)
}

/// The files of a running server, between the two calls that make a copy of them one; `cp` copes with what goes meanwhile.
async fn base_backup(url: &str, from: &Path, to: &Path) -> Result<()> {
    // One session: the server forgets the backup with it.
    let mut session = PgConnection::connect(url).await?;
    sqlx::query("SELECT pg_backup_start('base', true)")
        .execute(&mut session)
        .await?;
    Command::new("cp").arg("-R").arg(from).arg(to).status()?;
    let label: String = sqlx::query("SELECT labelfile FROM pg_backup_stop()")
        .fetch_one(&mut session)
        .await?
        .try_get(0)?;
    std::fs::write(to.join("backup_label"), label)?;
    // Not a part of a base backup: the server's own marks, and WAL that the archive has.
    for own in ["postmaster.pid", "postmaster.opts", "pg_wal"] {
        let path = to.join(own);
        if path.is_dir() {
            std::fs::remove_dir_all(&path)?;
            std::fs::create_dir_all(path.join("archive_status"))?;
        } else if path.exists() {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Closes the current piece of WAL and waits until the archive has it.
async fn archive(url: &str, archive: &Path) -> Result<()> {
    let mut session = PgConnection::connect(url).await?;
    let piece: String = sqlx::query_scalar("SELECT pg_walfile_name(pg_switch_wal())")
        .fetch_one(&mut session)
        .await?;
    for _ in 0..600 {
        if archive.join(&piece).exists() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("{piece} did not reach the archive")
}

#[tokio::test(flavor = "multi_thread")]
async fn base_backup_and_wal_should_end_in_a_declared_restore() -> Result<()> {
    let start = || {
        Postgres::with(&[
            ("archive_mode", "on"),
            ("archive_command", "mkdir -p ../archive && cp %p ../archive/%f"),
        ])
    };
    let server = tokio::task::spawn_blocking(start).await??;
    let (url, data) = (server.url(), server.data_dir()?);
    let mut bed = Bed::new(Kind::Embedded, "wal").await?;
    bed.kind = Kind::Cluster;
    bed.log = Arc::new(log_on(&url).await?);
    bed.write(0, "before").await?;
    let base = bed.dir.path().join("base");
    base_backup(&url, &data.join("cluster"), &base).await?;
    bed.write(1, "kept").await?;
    bed.seal(&bed.log).await?;
    let mut session = PgConnection::connect(&url).await?;
    let moment: String = sqlx::query_scalar("SELECT clock_timestamp()::text")
        .fetch_one(&mut session)
        .await?;
    bed.write(2, "lost").await?;
    bed.seal(&bed.log).await?;
    archive(&url, &data.join("archive")).await?;

    let restore = format!("cp {}/archive/%f %p", data.display());
    let recovering = move || {
        Postgres::recovering(
            &base,
            &[("restore_command", &restore), ("recovery_target_time", &moment)],
        )
    };
    let recovered = tokio::task::spawn_blocking(recovering).await??;
    let log = log_on(&recovered.url()).await?;
    let chain = bed.chain().await?;
    let shared: Arc<dyn EventLog> = Arc::new(log_on(&recovered.url()).await?);
    let restored = verify(&mut LogSource(shared), &chain).await?;
    ensure!(
        restored.events() == 10 && restored.shards[0].sealed == 3 && restored.shards[0].kept == 2,
        "{restored:?}"
    );
    let lives = restored.shards.iter().map(|s| (s.shard, s.life)).collect();
    let mut target: Box<dyn vaultstream_domain::ports::RestoreTarget> = Box::new(PgTarget::new(log));
    target.finish(&lives).await?;
    ensure!(target.finish(&lives).await.is_err(), "a life begins once");

    let log: Arc<dyn EventLog> = Arc::new(log_on(&recovered.url()).await?);
    bed.seal(&log).await?;
    let chain = bed.chain().await?;
    let losses = &chain.newest().context("sealed")?.losses;
    ensure!(
        losses
            .first()
            .is_some_and(|loss| (loss.incarnation, loss.kept) == (1, 2)),
        "{losses:?}"
    );
    let report = audited(&log, &chain).await?;
    ensure!(report.findings.is_empty(), "{:?}", report.findings);
    Ok(())
}
