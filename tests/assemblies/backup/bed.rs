//! A log of either assembly with its checkpoints, and what a backup of it needs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_domain::ports::event_log::AppendOutcome;
use vaultstream_domain::ports::{
    BackupSource, BackupStore, Clock, EventLog, NoteList, RestoreTarget, SealText,
};
use vaultstream_event_schemas::Timestamp;
use vaultstream_infra_keystore::{CheckpointKeys, Keystore, Options as KeystoreOptions};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions, PgTarget};
use vaultstream_infra_runtime::{BackupFolder, FileNoteList, SystemClock};
use vaultstream_infra_sqlite::{
    Options as SqliteOptions, SqliteLog, SqliteProgress, SqliteSource, SqliteTarget,
};
use vaultstream_kernel::audit::{Auditor, Chain, Report, Seen};
use vaultstream_kernel::backup::{Added, Backup, Journal, LogSource};
use vaultstream_kernel::{Sealer, SealerOptions, SealerPorts, TracingObserver};

use crate::{postgres, url};

pub const ORIGIN: &str = "vaultstream/assemblies/log";

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Cluster,
}

pub struct Bed {
    pub kind: Kind,
    name: String,
    pub dir: TempDir,
    pub log: Arc<dyn EventLog>,
    pub checkpoints: Arc<FileNoteList>,
    keys: CheckpointKeys,
    writers: Vec<Writer>,
}

impl Bed {
    pub async fn new(kind: Kind, name: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let name = format!("vs_backup_{name}_{}", std::process::id());
        let log: Arc<dyn EventLog> = match kind {
            Kind::Embedded => Arc::new(SqliteLog::open(&SqliteOptions::new(
                dir.path().join("log.db"),
                sample::families(),
            ))?),
            Kind::Cluster => Arc::new(postgres(&name, sample::families()).await?),
        };
        let keystore = Keystore::open(&KeystoreOptions {
            dir: dir.path().join("keys"),
            passphrase: None,
        })?;
        let writers = [(0, 1), (1, 2), (3, 3), (3, 4), (4, 5)];
        Ok(Self {
            kind,
            name,
            log,
            checkpoints: Arc::new(FileNoteList::checkpoints(&dir.path().join("list"))?),
            keys: CheckpointKeys::try_new(keystore, ORIGIN)?,
            writers: writers
                .iter()
                .map(|(shard, n)| Writer::new(sample::stream(*shard, *n)))
                .collect(),
            dir,
        })
    }

    /// An event on every stream, at so many seconds of the suite's time.
    pub async fn write(&mut self, seconds: i64, name: &str) -> Result<()> {
        let now = sample::at(seconds * 1_000_000);
        for writer in &mut self.writers {
            let outcomes = self.log.append(vec![writer.command(name, 1)], Some(now)).await?;
            ensure!(
                matches!(outcomes[..], [AppendOutcome::Committed { .. }]),
                "{outcomes:?}"
            );
        }
        Ok(())
    }

    /// Signs what is new in a log, as if the sealer had just started.
    pub async fn seal(&self, log: &Arc<dyn EventLog>) -> Result<()> {
        let progress = tempfile::tempdir()?;
        let ports = SealerPorts {
            log: log.clone(),
            checkpoints: self.checkpoints.clone(),
            seal: Arc::new(self.keys.clone()),
            progress: Arc::new(SqliteProgress::open(&progress.path().join("progress.db"))?),
            clock: Arc::new(SystemClock),
            observer: Arc::new(TracingObserver),
        };
        let sealer = Sealer::new(ports, SealerOptions::default());
        sealer.resume().await?.round().await?.context("nothing was new")?;
        Ok(())
    }

    /// The checkpoints, believed.
    pub async fn chain(&self) -> Result<Chain> {
        let kept = self.checkpoints.read(0, 1_000).await?;
        let notes = kept
            .iter()
            .map(|kept| (kept.number.to_string(), kept.note.as_str()));
        let (chain, faults) = Chain::new(notes, &self.keys.public_keys().await?);
        ensure!(faults.is_empty(), "{faults:?}");
        Ok(chain)
    }

    pub fn source(&self) -> Result<Box<dyn BackupSource>> {
        Ok(match self.kind {
            // Beside the open log, like another process.
            Kind::Embedded => Box::new(SqliteSource::open(&self.dir.path().join("log.db"))?),
            Kind::Cluster => Box::new(LogSource(self.log.clone())),
        })
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("backup")
    }

    /// A run of a process of its own.
    pub async fn back_up(&self) -> Result<Added> {
        let mut backup = Backup::open(Arc::new(BackupFolder::open(&self.folder())?), ORIGIN)?;
        Ok(backup.run(&mut *self.source()?, now()).await?)
    }

    /// An empty log of the same kind.
    pub async fn target(&self, name: &str) -> Result<Box<dyn RestoreTarget>> {
        Ok(match self.kind {
            Kind::Embedded => Box::new(SqliteTarget::open(&self.dir.path().join(name))?),
            Kind::Cluster => {
                let log = postgres(&format!("{}_{name}", self.name), sample::families()).await?;
                Box::new(PgTarget::new(log))
            }
        })
    }

    /// A log that was put back, as the product opens it.
    pub async fn reopen(&self, name: &str) -> Result<Arc<dyn EventLog>> {
        Ok(match self.kind {
            Kind::Embedded => Arc::new(SqliteLog::open(&SqliteOptions::new(
                self.dir.path().join(name),
                sample::families(),
            ))?),
            Kind::Cluster => {
                let database = DatabaseConfig::new("main", url(&format!("{}_{name}", self.name)).await?);
                let clock: Arc<dyn Clock> = Arc::new(SystemClock);
                let options = PgLogOptions::new("assemblies", vec![database], sample::families(), clock);
                Arc::new(PgLog::open(&options).await?)
            }
        })
    }
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

/// A backup as a restore reads it.
pub fn open(folder: &std::path::Path) -> Result<(Journal, Arc<dyn BackupStore>)> {
    let store: Arc<dyn BackupStore> = Arc::new(BackupFolder::read(folder));
    let journal = Journal::parse(&store.journal()?)?.context("it was begun")?;
    Ok((journal, store))
}

/// What an auditor says of a log.
pub async fn audited(log: &Arc<dyn EventLog>, chain: &Chain) -> Result<Report> {
    let mut auditor = Auditor::new(chain);
    for shard in log.heads().await?.keys() {
        auditor.begin(*shard);
        for event in log.read_shard(*shard, 0, 1_000).await? {
            let line = vaultstream_event_schemas::record::encode(&event)?;
            let parts = vaultstream_event_schemas::record::parts(&line)?;
            auditor.take(*shard, &Seen::new(&parts));
        }
    }
    Ok(auditor.finish())
}
