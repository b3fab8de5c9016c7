//! A file with few, small rows: one connection, used by one caller at a time, away from the async threads.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::database::{FileKind, FileLock, OpenError, Synchronous, open_writer};

/// Why a piece of work has no result.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The file, open; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct SmallFile {
    connection: Arc<Mutex<Connection>>,
    _lock: Arc<FileLock>,
}

impl SmallFile {
    /// Opens or creates the file.
    pub(crate) fn open(path: &Path, kind: &FileKind, synchronous: Synchronous) -> Result<Self, OpenError> {
        let (connection, lock) = open_writer(path, kind, synchronous)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            _lock: Arc::new(lock),
        })
    }

    /// Runs a piece of work and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.connection);
        let task = tokio::task::spawn_blocking(move || {
            work(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(task.await??)
    }
}
