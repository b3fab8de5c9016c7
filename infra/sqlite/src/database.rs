//! Opening an SQLite file: who may, which file it must be, and how it is brought to the current schema.
//!
//! Invariants: a file is open for writing in one process at a time (an OS lock on `<file>.lock`, freed by the kernel
//! when the process ends, however it ends); migrations only go forward, each in one transaction under that lock.
//! Refuses: a directory that cannot be written, a file of another application, a file of a newer schema, a second
//! process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use vaultstream_event_schemas::placement::RegistryError;

/// How long a statement waits for a lock that another connection of this process holds.
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection.
const STATEMENTS: usize = 64;
/// Bytes of a file that readers map instead of copying; untouched pages cost no memory.
const MAPPED_BYTES: i64 = 256 << 20;

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or the lock file cannot be written.
    #[error("{} cannot be written; choose a data directory that this user may write to", path.display())]
    Unwritable {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another process; stop it, or choose another data directory", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another application, or is no database.
    #[error("{} is not a Vaultstream {wanted}; it was left as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A newer build has written it.
    #[error(
        "{} has schema {found} and this build knows {known}; run the newer build that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema of this build.
        known: i64,
    },
    /// The configured shards do not agree with the stored ones.
    #[error("the configured shards do not fit this log")]
    Registry(#[source] RegistryError),
    /// The stored registry cannot be read.
    #[error("the registry of shards in {} cannot be read", path.display())]
    RegistryDamaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// SQLite failed.
    #[error("{} cannot be {doing}", path.display())]
    Engine {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// After the write-ahead log was forced to the disk: survives a power cut.
    #[default]
    Full,
    /// Without forcing it: survives a crash of the process; a power cut may take the newest commits.
    Normal,
}

/// What a file is: its mark and the steps of its schema, which are only ever added to.
#[derive(Debug, Clone, Copy)]
pub struct FileKind {
    /// The `application_id` in the file's header.
    pub application_id: i32,
    /// Its name in messages.
    pub name: &'static str,
    /// Step *n* leads from schema *n* to *n + 1*.
    pub migrations: &'static [&'static str],
}

/// The right to write a file; ends when dropped, or with the process.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock beside `path`, without waiting.
    pub fn take(path: &Path) -> Result<Self, OpenError> {
        let beside = suffixed(path, ".lock");
        let unwritable = |source| OpenError::Unwritable {
            path: beside.clone(),
            source,
        };
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|source| OpenError::Unwritable {
                path: parent.to_owned(),
                source,
            })?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&beside)
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(unwritable(source)),
        }
    }
}

/// `path` with `suffix` behind its file name.
fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}

/// Opens the file for writing, under its lock, at the current schema. Checkpoints of the write-ahead log are left to
/// SQLite unless the caller turns them off.
pub fn open_writer(
    path: &Path,
    kind: &FileKind,
    synchronous: Synchronous,
) -> Result<(Connection, FileLock), OpenError> {
    let lock = FileLock::take(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(engine(path, "opened"))?;
    identify(path, &connection, kind)?;
    prepare(&connection, synchronous).map_err(engine(path, "prepared"))?;
    migrate(path, &mut connection, kind)?;
    Ok((connection, lock))
}

/// Opens another connection of this process to a file that [`open_writer`] has opened.
pub fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(engine(path, "opened for reading"))?;
    (|| {
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "cache_size", -4_000)?;
        connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
        connection.pragma_update(None, "query_only", true)
    })()
    .map_err(engine(path, "opened for reading"))?;
    Ok(connection)
}

/// Turns an error of SQLite into one that names the file and what was being done.
pub(crate) fn engine(path: &Path, doing: &'static str) -> impl Fn(rusqlite::Error) -> OpenError {
    move |source| OpenError::Engine {
        path: path.to_owned(),
        doing,
        source,
    }
}

/// Sees whose file it is before anything is written to it.
fn identify(path: &Path, connection: &Connection, kind: &FileKind) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign {
        path: path.to_owned(),
        wanted: kind.name,
    };
    let tables: Result<i64, _> = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0));
    let tables = match tables {
        Ok(tables) => tables,
        Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => return Err(foreign()),
        Err(e) => return Err(engine(path, "read")(e)),
    };
    let mark: i32 = connection
        .pragma_query_value(None, "application_id", |r| r.get(0))
        .map_err(engine(path, "read"))?;
    let is_new = tables == 0 && mark == 0;
    if is_new || mark == kind.application_id {
        Ok(())
    } else {
        Err(foreign())
    }
}

fn prepare(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let synchronous = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", false)
}

fn migrate(path: &Path, connection: &mut Connection, kind: &FileKind) -> Result<(), OpenError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .map_err(engine(path, "read"))?;
    let known = i64::try_from(kind.migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for (step, version) in kind
        .migrations
        .iter()
        .zip(1i64..)
        .filter(|(_, version)| *version > found)
    {
        (|| {
            let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", kind.application_id)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()
        })()
        .map_err(engine(path, "brought to the current schema"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: FileKind = FileKind {
        application_id: 0x5653_7465,
        name: "test file",
        migrations: &[
            "CREATE TABLE a (x INTEGER) STRICT",
            "ALTER TABLE a ADD COLUMN y INTEGER",
        ],
    };

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn file_should_be_migrated_once_and_reopened() {
        let dir = directory();
        let path = dir.path().join("deep/er/a.db");
        let old = FileKind {
            migrations: &KIND.migrations[..1],
            ..KIND
        };
        let (connection, lock) = open_writer(&path, &old, Synchronous::Full).expect("new file");
        connection
            .execute("INSERT INTO a (x) VALUES (1)", [])
            .expect("schema 1");
        drop((connection, lock));
        for _ in 0..2 {
            let (connection, _lock) = open_writer(&path, &KIND, Synchronous::Full).expect("newer build");
            connection
                .execute("UPDATE a SET y = x", [])
                .expect("schema 2 keeps the rows");
        }
        assert!(
            matches!(
                open_writer(&path, &old, Synchronous::Full),
                Err(OpenError::Newer {
                    found: 2,
                    known: 1,
                    ..
                })
            ),
            "an older build refuses the file"
        );
    }

    #[test]
    fn file_should_be_refused_while_it_is_in_use() {
        let dir = directory();
        let path = dir.path().join("a.db");
        let held = open_writer(&path, &KIND, Synchronous::Full).expect("first");
        assert!(matches!(
            open_writer(&path, &KIND, Synchronous::Full),
            Err(OpenError::InUse { .. })
        ));
        drop(held);
        open_writer(&path, &KIND, Synchronous::Full).expect("free again");
    }

    #[test]
    fn foreign_files_should_be_refused_untouched() {
        let dir = directory();
        let text = dir.path().join("letter.txt");
        let body =
            "a letter that is longer than the header of a database file, and no database at all. ".repeat(20);
        std::fs::write(&text, &body).expect("write");
        assert!(matches!(
            open_writer(&text, &KIND, Synchronous::Full),
            Err(OpenError::Foreign { .. })
        ));
        assert_eq!(std::fs::read_to_string(&text).expect("read"), body);

        let other = dir.path().join("other.db");
        let connection = Connection::open(&other).expect("open");
        connection
            .execute_batch("CREATE TABLE theirs (x)")
            .expect("their table");
        drop(connection);
        assert!(matches!(
            open_writer(&other, &KIND, Synchronous::Full),
            Err(OpenError::Foreign { .. })
        ));
    }

    #[test]
    fn directory_that_is_a_file_should_be_named_with_a_remedy() {
        let dir = directory();
        let file = dir.path().join("file");
        std::fs::write(&file, b"x").expect("write");
        let refused = open_writer(&file.join("a.db"), &KIND, Synchronous::Full).expect_err("no directory");
        assert!(matches!(refused, OpenError::Unwritable { .. }));
        assert!(
            refused.to_string().contains("choose a data directory"),
            "{refused}"
        );
    }
}
