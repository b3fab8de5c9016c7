//! A bounded pool of read-only connections, used from async code on blocking threads.
//!
//! At most as many reads run as there are connections; more wait in order of arrival. A read that panics or fails
//! gives its connection back.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use vaultstream_domain::ports::event_log::LogError;

use crate::database::{OpenError, open_reader};

/// The pool.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// A borrowed connection that returns to its pool.
struct Borrowed {
    pool: Arc<Readers>,
    connection: Option<Connection>,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
    }
}

impl Readers {
    /// Opens `count` connections to the file.
    pub(crate) fn try_new(path: &Path, count: usize) -> Result<Self, OpenError> {
        let idle = (0..count)
            .map(|_| open_reader(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            permits: Arc::new(Semaphore::new(count)),
        })
    }

    /// Runs a read on a blocking thread.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let failed = |source: &'static str| LogError::Engine {
            doing,
            source: source.into(),
        };
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| failed("its readers have stopped"))?;
        let pool = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let connection = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let borrowed = Borrowed { pool, connection };
            let result = match &borrowed.connection {
                Some(connection) => read(connection),
                None => Err(failed("no connection is idle")),
            };
            drop(borrowed);
            drop(permit);
            result
        });
        task.await.map_err(|source| LogError::Engine {
            doing,
            source: Box::new(source),
        })?
    }
}
