//! Lists of signed notes in append-only files of a directory, which is not the log's; marks have one that is not the
//! checkpoints' either.
//!
//! Two thousand notes stand in a file, `checkpoints-<first number>.notes` or `marks-<key id>-<first number>.notes`, with an
//! empty line behind each: a file that `audit verify` takes as it is. The id is that of the key that signs the marks, so
//! that another installation's marks in the same folder are no marks of this one. A note is forced to disk before it counts
//! as kept. One that was torn by a crash was never acknowledged, is put aside into `torn-<number>.part` and said; nothing
//! else is ever moved or removed. Whole files of marks may be removed by hand, the oldest first; the newest stays. Refuses:
//! a second process on the directory, files that are not dense.

mod files;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use vaultstream_domain::ports::NoteList;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind, NoteListError};
use vaultstream_event_schemas::note;

use files::{Files, first_of};

/// Why the directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenListError {
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
    newest: Option<KeptNote>,
    /// The file of the newest, and its length.
    open: Option<(u64, File, u64)>,
    _lock: File,
}

/// A list. Clones share it.
#[derive(Debug, Clone)]
pub struct FileNoteList {
    kind: NoteKind,
    writer: Arc<Mutex<Writer>>,
}

impl FileNoteList {
    /// Opens the list of checkpoints in a directory, or begins it. Blocks.
    pub fn checkpoints(dir: &Path) -> Result<Self, OpenListError> {
        Self::open(Files::checkpoints(dir))
    }

    /// Opens the list of marks that the key with an id signs, or begins it. Blocks.
    pub fn marks(dir: &Path, key: u32) -> Result<Self, OpenListError> {
        Self::open(Files::marks(dir, key))
    }

    fn open(files: Files) -> Result<Self, OpenListError> {
        let lock = files.lock()?;
        let newest = files.recover()?;
        let kind = files.kind;
        let writer = Writer {
            files,
            newest,
            open: None,
            _lock: lock,
        };
        Ok(Self {
            kind,
            writer: Arc::new(Mutex::new(writer)),
        })
    }

    /// The files of checkpoints in a directory, in order of number. Reads nothing but names.
    pub fn checkpoint_files(dir: &Path) -> Result<Vec<PathBuf>, OpenListError> {
        Files::checkpoints(dir).all()
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Writer) -> Result<T, NoteListError> + Send + 'static,
    ) -> Result<T, NoteListError> {
        let writer = Arc::clone(&self.writer);
        let task = tokio::task::spawn_blocking(move || {
            // A writer that panicked left its state as it was or its file too long; both are looked at again.
            work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let failed = NoteListError::store(self.kind, doing);
        task.await.unwrap_or_else(|error| Err(failed(error)))
    }
}

impl Writer {
    fn append(&mut self, note: &KeptNote) -> Result<(), NoteListError> {
        let kind = self.files.kind;
        if kind.is_new(note, self.newest.as_ref())? {
            self.write(note.number, &note::listed(&note.note))
                .map_err(NoteListError::store(kind, "kept"))?;
            self.newest = Some(note.clone());
        }
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

    fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptNote>, NoteListError> {
        let kind = self.files.kind;
        let limit = limit.min(kind.page());
        let newest = self.newest.as_ref().map_or(0, |kept| kept.number);
        let mut next = after.saturating_add(1);
        if kind.may_lack_the_oldest() {
            let oldest = self.files.oldest();
            let oldest = oldest.map_err(NoteListError::store(kind, "listed"))?;
            next = next.max(oldest.unwrap_or(next));
        }
        let mut read = Vec::new();
        while next <= newest && read.len() < limit {
            let first = first_of(next);
            let all = self.files.read(first);
            let all = all.map_err(NoteListError::store(kind, "read"))?;
            let end = first + all.len() as u64;
            let wanted = all.into_iter().filter(|kept| kept.number >= next);
            read.extend(wanted.take(limit - read.len()));
            if end <= next {
                break;
            }
            next = end;
        }
        Ok(read)
    }
}

#[async_trait]
impl NoteList for FileNoteList {
    async fn append(&self, note: &KeptNote) -> Result<(), NoteListError> {
        let note = note.clone();
        self.run("kept", move |writer| writer.append(&note)).await
    }

    async fn newest(&self) -> Result<Option<KeptNote>, NoteListError> {
        self.run("read", |writer| Ok(writer.newest.clone())).await
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptNote>, NoteListError> {
        self.run("read", move |writer| writer.read(after, limit)).await
    }
}

#[cfg(test)]
mod tests;
