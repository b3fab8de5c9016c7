//! Durable notes of consumers and chain followers, in a small file of their own.
//!
//! A note is replaced whole. A crash of the process loses nothing that `save` has answered; a power cut may bring back
//! an older note, which only repeats work. Refuses: names over 128 characters, notes over 64 KiB.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use vaultstream_domain::ports::Progress;
use vaultstream_domain::ports::progress::ProgressError;

use crate::database::{FileKind, OpenError, Synchronous};
use crate::small_file::SmallFile;

/// `VSpr`.
const KIND: FileKind = FileKind {
    application_id: 0x5653_7072,
    name: "progress file",
    migrations: &["CREATE TABLE note (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID"],
};
const MAX_NAME: usize = 128;
const MAX_NOTE: usize = 64 << 10;

/// The notes of one installation.
#[derive(Debug, Clone)]
pub struct SqliteProgress(SmallFile);

impl SqliteProgress {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        SmallFile::open(path, &KIND, Synchronous::Normal).map(Self)
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ProgressError> {
        self.0
            .run(work)
            .await
            .map_err(|source| ProgressError { doing, source })
    }
}

#[async_trait]
impl Progress for SqliteProgress {
    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, ProgressError> {
        let name = name.to_owned();
        self.run("read", move |connection| {
            connection
                .prepare_cached("SELECT value FROM note WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn save(&self, name: &str, note: &[u8]) -> Result<(), ProgressError> {
        if name.is_empty() || name.chars().count() > MAX_NAME || note.len() > MAX_NOTE {
            let source =
                format!("a note has a name of 1 to {MAX_NAME} characters and at most {MAX_NOTE} bytes");
            return Err(ProgressError {
                doing: "kept",
                source: source.into(),
            });
        }
        let (name, note) = (name.to_owned(), note.to_vec());
        self.run("kept", move |connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO note (name, value) VALUES (?1, ?2)")?
                .execute((name, note))
                .map(|_| ())
        })
        .await
    }
}
