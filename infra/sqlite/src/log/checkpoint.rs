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

/// Growth after which a checkpoint is asked for, by estimate.
const EVERY_BYTES: usize = 16 << 20;
/// What one transaction adds besides its events: the last pages of table and index, written again.
const TRANSACTION_BYTES: usize = 4 * 4_096;
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

/// The writer's side.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    finish: Arc<AtomicBool>,
    bytes: usize,
    /// Growth since everything was copied, by estimate.
    uncopied: usize,
    /// The most of them.
    bound: usize,
}

/// Starts the thread; it ends when the writer's side is dropped.
pub(super) fn start(path: &Path, bound: usize) -> Result<(JoinHandle<()>, Checkpoints), OpenError> {
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
            uncopied: 0,
            bound,
        },
    ))
}

impl Checkpoints {
    /// Notes that one transaction with so many bytes of events was committed. Pages are not full, so their bytes count
    /// twice.
    pub(super) fn note(&mut self, bytes: usize) {
        let bytes = 2 * bytes + TRANSACTION_BYTES;
        self.bytes += bytes;
        self.uncopied += bytes;
        // Not while the writer's own turn is due: only one can copy at a time. A full channel means that a checkpoint
        // is asked for already.
        let due = self.bytes >= EVERY_BYTES && !self.finish.load(Ordering::Acquire);
        if due && self.wake.try_send(()).is_ok() {
            self.bytes = 0;
        }
    }

    /// Between two transactions: copies the rest of a long log, and all of one that is too long.
    pub(super) fn finish_if_due(&mut self, connection: &Connection) {
        if self.uncopied >= self.bound {
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
