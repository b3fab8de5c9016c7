//! Checkpoints in append-only files of a directory, which is not the log's.
//!
//! Two thousand checkpoints stand in a file, `checkpoints-<first number>.notes`, as notes with an empty line behind each:
//! a file that `audit verify` takes as it is. A checkpoint is forced to disk before it counts as kept. A note that was
//! torn by a crash is put aside into `torn-<number>.part` and said; nothing else is ever moved or removed. Refuses: a
//! second process on the directory, files that are not dense.

pub(crate) mod files;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use vaultstream_domain::ports::Checkpoints;
use vaultstream_domain::ports::checkpoints::{CheckpointsError, KeptCheckpoint, MAX_CHECKPOINTS_READ};
use vaultstream_event_schemas::note;

use files::{Files, Kind, first_of};

/// Why the directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenCheckpointsError {
    /// The directory or a file in it failed.
    #[error("{path} cannot be {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Another process keeps its list there.
    #[error(
        "{0} is in use by another process; stop that, or give each installation a directory of its own (checkpoints.dir, \
         marks.dir)"
    )]
    InUse(PathBuf),
    /// A file is not what was written.
    #[error(
        "{0} is not as it was written: a note is missing, changed or out of order; put the file back from a copy"
    )]
    Damaged(PathBuf),
}

#[derive(Debug)]
struct Writer {
    files: Files,
    newest: Option<KeptCheckpoint>,
    /// The file of the newest, and its length.
    open: Option<(u64, File, u64)>,
    _lock: File,
}

/// The list. Clones share it.
#[derive(Debug, Clone)]
pub struct FileCheckpoints {
    writer: Arc<Mutex<Writer>>,
}

impl FileCheckpoints {
    /// Opens the directory, or makes it. Blocks.
    pub fn open(dir: &Path) -> Result<Self, OpenCheckpointsError> {
        Self::open_list(dir, Kind::Checkpoints)
    }

    pub(crate) fn open_list(dir: &Path, kind: Kind) -> Result<Self, OpenCheckpointsError> {
        let files = Files::new(dir, kind);
        let lock = files.lock()?;
        let newest = files.recover()?;
        let writer = Writer {
            files,
            newest,
            open: None,
            _lock: lock,
        };
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
        })
    }

    /// The files of a directory that holds some, in order of number. Reads nothing but names.
    pub fn list(dir: &Path) -> Result<Vec<PathBuf>, OpenCheckpointsError> {
        Files::new(dir, Kind::Checkpoints).all()
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Writer) -> Result<T, CheckpointsError> + Send + 'static,
    ) -> Result<T, CheckpointsError> {
        let writer = Arc::clone(&self.writer);
        let task = tokio::task::spawn_blocking(move || {
            // A writer that panicked left its state as it was or its file too long; both are looked at again.
            work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))
        });
        task.await.unwrap_or_else(|error| Err(failed(doing)(error)))
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl Fn(E) -> CheckpointsError {
    move |source| CheckpointsError::Store {
        doing,
        source: Box::new(source),
    }
}

impl Writer {
    fn append(&mut self, checkpoint: &KeptCheckpoint) -> Result<(), CheckpointsError> {
        let number = checkpoint.number;
        if self.newest.as_ref() == Some(checkpoint) {
            return Ok(());
        }
        let newest = self.newest.as_ref().map_or(0, |kept| kept.number);
        if number != newest + 1 {
            return Err(CheckpointsError::Number { number, newest });
        }
        if self.files.kind.number_of(&checkpoint.note) != Some(number) {
            return Err(CheckpointsError::Malformed { number });
        }
        self.write(number, &note::listed(&checkpoint.note))
            .map_err(failed("kept"))?;
        self.newest = Some(checkpoint.clone());
        Ok(())
    }

    fn write(&mut self, number: u64, listed: &str) -> std::io::Result<()> {
        let first = first_of(number);
        if self.open.as_ref().is_none_or(|(open, ..)| *open != first) {
            let file = self.files.for_append(first)?;
            let length = file.metadata()?.len();
            self.open = Some((first, file, length));
        }
        let Some((_, file, length)) = &mut self.open else {
            return Ok(());
        };
        let written = file.write_all(listed.as_bytes()).and_then(|()| file.sync_data());
        match written {
            Ok(()) => *length += listed.len() as u64,
            // What was written of it must not stand before the next.
            Err(_) => file.set_len(*length)?,
        }
        written
    }
}

#[async_trait]
impl Checkpoints for FileCheckpoints {
    async fn append(&self, checkpoint: &KeptCheckpoint) -> Result<(), CheckpointsError> {
        let checkpoint = checkpoint.clone();
        self.run("kept", move |writer| writer.append(&checkpoint)).await
    }

    async fn newest(&self) -> Result<Option<KeptCheckpoint>, CheckpointsError> {
        self.run("read", |writer| Ok(writer.newest.clone())).await
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptCheckpoint>, CheckpointsError> {
        let limit = limit.min(MAX_CHECKPOINTS_READ);
        self.run("read", move |writer| {
            let newest = writer.newest.as_ref().map_or(0, |kept| kept.number);
            let mut read = Vec::new();
            let mut next = after.saturating_add(1);
            while next <= newest && read.len() < limit {
                let first = first_of(next);
                let all = writer.files.read(first).map_err(failed("read"))?;
                let end = first + all.len() as u64;
                let wanted = all.into_iter().filter(|kept| kept.number >= next);
                read.extend(wanted.take(limit - read.len()));
                if end <= next {
                    break;
                }
                next = end;
            }
            Ok(read)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
