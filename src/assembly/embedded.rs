//! The embedded assembly: parts that need no set-up, all in one data directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::Family;
use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, FileNoteList, MemoryCache, give_way};
use vaultstream_infra_sqlite::views::{SqliteViews, ViewOptions};
use vaultstream_infra_sqlite::{
    Options as LogOptions, SqliteLeases, SqliteLog, SqliteProgress, SqliteVersionGate,
};
use vaultstream_kernel::LogBus;

use super::Engines;
use crate::config::Config;

/// Opens the log alone. Blocks.
pub fn open_log(config: &Config) -> Result<Arc<dyn EventLog>> {
    let options = LogOptions::new(config.data_dir.join("log.db"), config.families());
    let log = SqliteLog::open(&options).context("the event log cannot be opened")?;
    Ok(Arc::new(log))
}

/// Opens what lies in the data directory. Blocks.
pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Engines> {
    let dir = &config.data_dir;
    let log = open_log(config)?;
    // Families that are no longer configured keep their views.
    let kept: BTreeSet<Family> = log
        .registry()
        .entries()
        .iter()
        .map(|e| e.family.clone())
        .collect();
    let views = SqliteViews::open(&ViewOptions {
        on_writer_start: give_way::give_way,
        ..ViewOptions::new(dir.join("views"), kept.into_iter().collect())
    })
    .context("the views cannot be opened")?;
    let progress = SqliteProgress::open(&dir.join("progress.db")).context("progress cannot be opened")?;
    let leases = SqliteLeases::open(&dir.join("leases.db")).context("leases cannot be opened")?;
    let versions = SqliteVersionGate::open(&dir.join("event-versions.db"))
        .context("the gate of event versions cannot be opened")?;
    let checkpoints = FileNoteList::checkpoints(&config.checkpoints_dir())
        .context("the list of checkpoints cannot be used")?;
    Ok(Engines {
        checkpoints: Some(Arc::new(checkpoints)),
        marks: None,
        bus: Arc::new(LogBus::new(log.clone())),
        log,
        publisher: None,
        views: Some(Arc::new(views)),
        progress: Arc::new(progress),
        leases: Arc::new(leases),
        version_gate: Arc::new(versions),
        cache: Arc::new(MemoryCache::new(clock, DEFAULT_CACHE_BYTES)),
        // One process: its doors count for themselves.
        rate_limits: None,
    })
}
