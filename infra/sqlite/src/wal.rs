//! Copies the write-ahead log back into the file, on a thread and a connection of its own.
//!
//! A passive checkpoint never makes the writer wait, but under constant load it never reaches the end either, so the
//! log would grow for ever. Therefore the bulk is copied here, and when the log is long the writer itself copies the
//! short rest between two transactions; after that it starts the log anew. A disk on which even that is too slow would
//! let the log grow, so past a bound the writer copies before it goes on: appends wait rather than fill the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::database::{OpenError, engine};

/// Pages of the write-ahead log above which the writer copies the rest.
const LONG_PAGES: i64 = 16_384;
/// Pages that may be left uncopied before the bulk is copied once more.
const SHORT_REST_PAGES: i64 = 2_048;
/// Bulk copies in a row; the writer's own turn comes after them however long the rest is.
const MAX_ROUNDS: usize = 8;
/// How often a writer at the bound tries, and how long it pauses in between: a reader that holds an old page for longer
/// than all of them together lets the log grow, and appends go on.
const BOUND_TRIES: usize = 200;
const BOUND_PAUSE: Duration = Duration::from_millis(5);

/// When a write-ahead log is copied, by estimates of its growth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Growth in bytes after which a checkpoint is asked for.
    pub(crate) every: usize,
    /// The most that may be left uncopied; then the writer waits.
    pub(crate) bound: usize,
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    wake: SyncSender<()>,
    finish: Arc<AtomicBool>,
    pace: Pace,
    bytes: usize,
    /// Growth since everything was copied, by estimate.
    uncopied: usize,
}

/// Turns SQLite's own checkpoints off for the writer and starts a thread named so; it ends when the writer's side is
/// dropped.
pub(crate) fn start(
    path: &Path,
    writer: &Connection,
    name: &str,
    pace: Pace,
) -> Result<(JoinHandle<()>, Checkpoints), OpenError> {
    writer
        .pragma_update(None, "wal_autocheckpoint", 0)
        .map_err(engine(path, "prepared"))?;
    let connection = Connection::open(path).map_err(engine(path, "opened for checkpoints"))?;
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .map_err(engine(path, "opened for checkpoints"))?;
    let (wake, woken) = sync_channel(1);
    let finish = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&finish);
    let thread = std::thread::Builder::new()
        .name(name.into())
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
            pace,
            bytes: 0,
            uncopied: 0,
        },
    ))
}

impl Checkpoints {
    /// Notes that a transaction was committed that made the write-ahead log grow so much, by estimate.
    pub(crate) fn note(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.uncopied += bytes;
        // Not while the writer's own turn is due: only one can copy at a time. A full channel means that a checkpoint
        // is asked for already.
        let due = self.bytes >= self.pace.every && !self.finish.load(Ordering::Acquire);
        if due && self.wake.try_send(()).is_ok() {
            self.bytes = 0;
        }
    }

    /// Between two transactions: copies the rest of a long log, and all of one that is too long.
    pub(crate) fn finish_if_due(&mut self, connection: &Connection) {
        if self.uncopied >= self.pace.bound {
            self.copy_all(connection);
            self.finish.store(false, Ordering::Release);
        } else if self.finish.load(Ordering::Acquire) {
            self.copy(connection);
            self.finish.store(false, Ordering::Release);
        }
    }

    /// Copies once; whether everything is copied.
    fn copy(&mut self, connection: &Connection) -> bool {
        match passive(connection) {
            Ok((log, copied)) if log >= 0 && log == copied => {
                self.uncopied = 0;
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied back; it is tried again");
                false
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the writer is a thread of its own, outside any runtime"
    )]
    fn copy_all(&mut self, connection: &Connection) {
        for _ in 0..BOUND_TRIES {
            if self.copy(connection) {
                return;
            }
            std::thread::sleep(BOUND_PAUSE);
        }
        tracing::warn!(
            bytes = self.uncopied,
            "the write-ahead log grows: a reader holds an old page"
        );
        self.uncopied = 0;
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

/// Copies what no reader still needs; gives the pages in the log and those copied, both -1 while another one copies.
fn passive(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get(1)?, row.get(2)?))
    })
}
