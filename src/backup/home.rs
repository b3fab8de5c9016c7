//! Where the parts of an installation lie, in either assembly: what a backup reads and a restore fills.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use vaultstream_domain::ports::{BackupSource, NoteList, RestoreTarget};
use vaultstream_infra_runtime::FileNoteList;
use vaultstream_infra_sqlite::{SqliteSource, SqliteTarget};
use vaultstream_kernel::backup::LogSource;

use super::notes::List;
use crate::assembly;
use crate::config::{Config, Kind};

/// The log in a data directory.
pub fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("log.db")
}

/// The folder of the keys.
pub fn keystore_dir(config: &Config) -> PathBuf {
    let inside = || config.data_dir.join("keys");
    config.keystore.dir.clone().unwrap_or_else(inside)
}

/// The log, beside whoever writes it.
pub async fn source(config: &Config) -> Result<Box<dyn BackupSource>> {
    match config.assembly.kind {
        Kind::Embedded => {
            let file = log_file(&config.data_dir);
            ensure!(
                file.is_file(),
                "{} has no log.db; give the data directory of an embedded installation with --data-dir",
                config.data_dir.display()
            );
            Ok(Box::new(SqliteSource::open(&file)?))
        }
        Kind::Cluster => Ok(Box::new(LogSource(assembly::open_log(config, false).await?))),
    }
}

/// An empty log, or, to be declared, one that was put back; an embedded one in `data_dir`.
pub async fn target(config: &Config, data_dir: &Path) -> Result<Box<dyn RestoreTarget>> {
    match config.assembly.kind {
        Kind::Embedded => Ok(Box::new(SqliteTarget::open(&log_file(data_dir))?)),
        Kind::Cluster => assembly::open_target(config).await,
    }
}

/// The list of checkpoints, for reading.
pub async fn list(config: &Config) -> Result<List> {
    match config.assembly.kind {
        Kind::Embedded => Ok(List::Files(config.checkpoints_dir())),
        Kind::Cluster => Ok(List::Shared(assembly::open_list(config, false).await?)),
    }
}

/// The list of checkpoints, to go on with; none but this process may use it.
pub async fn own_list(config: &Config) -> Result<Arc<dyn NoteList>> {
    match config.assembly.kind {
        Kind::Embedded => {
            let dir = config.checkpoints_dir();
            let list = FileNoteList::checkpoints(&dir).context("the list of checkpoints cannot be used")?;
            Ok(Arc::new(list))
        }
        Kind::Cluster => assembly::open_list(config, true).await,
    }
}
