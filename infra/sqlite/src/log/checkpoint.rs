//! Copies the write-ahead log back into the file, on a thread and a connection of its own.
//!
//! A passive checkpoint never makes the writer wait, but under constant load it never reaches the end either, so the
//! log would grow for ever. Therefore the bulk is copied here, and when the log is long the writer itself copies the
//! short rest between two transactions; after that it starts the log anew.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::database::{OpenError, engine};

/// Bytes of events after which a checkpoint is asked for; about half of what the log grows by.
const EVERY_BYTES: usize = 8 << 20;
/// Pages of the write-ahead log above which the writer copies the rest.
const LONG_PAGES: i64 = 16_384;
/// Pages that may be left uncopied before the bulk is copied once more.
const SHORT_REST_PAGES: i64 = 2_048;
/// Bulk copies in a row; the writer's own turn comes after them however long the rest is.
const MAX_ROUNDS: usize = 8;

/// The writer's side.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    finish: Arc<AtomicBool>,
    bytes: usize,
}

/// Starts the thread; it ends when the writer's side is dropped.
pub(super) fn start(path: &Path) -> Result<(JoinHandle<()>, Checkpoints), OpenError> {
    let connection = Connection::open(path).map_err(engine(path, "opened for checkpoints"))?;
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .map_err(engine(path, "opened for checkpoints"))?;
    let (wake, woken) = sync_channel(1);
    let finish = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&finish);
    let thread = std::thread::Builder::new()
        .name("vaultstream-log-checkpoint".into())
        .spawn(move || run(&connection, &woken, &theirs))
        .map_err(|source| OpenError::Unwritable {
            path: path.to_owned(),
            source,
        })?;
    Ok((
        thread,
        Checkpoints {
            wake,
            finish,
            bytes: 0,
        },
    ))
}

impl Checkpoints {
    /// Notes that events of so many bytes were committed.
    pub(super) fn note(&mut self, bytes: usize) {
        self.bytes += bytes;
        // Not while the writer's own turn is due: only one can copy at a time. A full channel means that a checkpoint
        // is asked for already.
        let due = self.bytes >= EVERY_BYTES && !self.finish.load(Ordering::Acquire);
        if due && self.wake.try_send(()).is_ok() {
            self.bytes = 0;
        }
    }

    /// Between two transactions: copies the rest of a long log.
    pub(super) fn finish_if_due(&self, connection: &Connection) {
        if !self.finish.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = passive(connection) {
            tracing::warn!(%error, "the write-ahead log could not be copied back; it is tried again");
        }
        self.finish.store(false, Ordering::Release);
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, finish: &AtomicBool) {
    while woken.recv().is_ok() {
        match bulk(connection) {
            // Even a copy of everything is behind again by the next commit.
            Ok((log, _)) if log > LONG_PAGES => finish.store(true, Ordering::Release),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied back; it is tried again");
            }
        }
    }
}

/// Copies until little is left, or it is clear that the writer is faster.
fn bulk(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let (mut log, mut copied) = passive(connection)?;
    for _ in 1..MAX_ROUNDS {
        if log - copied <= SHORT_REST_PAGES {
            break;
        }
        (log, copied) = passive(connection)?;
    }
    Ok((log, copied))
}

/// Copies what no reader still needs; gives the pages in the log and those copied.
fn passive(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get(1)?, row.get(2)?))
    })
}
