//! The file of an event log, read by somebody who trusts nothing in it: an auditor's view of the rows as they lie there.
//!
//! Opened for reading only, beside a running product or after it. Invariants: nothing is written and no lock is taken; a
//! column that is not as it should be is given as it is, and is the reader's to judge. Refuses: a file that is no log.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::Hash;
use vaultstream_event_schemas::record::Parts;

use super::schema::{KIND, MAX_POSITION, position_of, row_id, shard_of};
use crate::database::{OpenError, engine, open_reader};

const AFTER: &str = "SELECT id FROM event WHERE id > ?1 ORDER BY id LIMIT 1";
const LAST: &str = "SELECT id FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT 1";
const ROWS: &str = "SELECT id, hlc, stream, sequence, envelope, payload, previous, hash FROM event \
     WHERE id > ?1 AND id <= ?2 ORDER BY id";

/// A row of the log.
#[derive(Debug, Clone, Copy)]
pub struct RawRow<'a> {
    /// The columns that make a record.
    pub parts: Parts<'a>,
    /// The column that names the stream.
    pub stream: &'a [u8],
    /// The column that numbers it.
    pub sequence: u64,
}

/// The file, open for reading. Not for several threads: each opens its own.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    connection: Connection,
}

impl LogFile {
    /// Opens the file of a data directory, or any copy of it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let connection = open_reader(path)?;
        let id: i32 = connection
            .query_row("PRAGMA application_id", [], |row| row.get(0))
            .map_err(engine(path, "read"))?;
        if id != KIND.application_id {
            return Err(OpenError::Foreign {
                path: path.to_owned(),
                wanted: KIND.name,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            connection,
        })
    }

    /// Every shard that has a row, with the position of its last, in order of number.
    pub fn shards(&self) -> Result<Vec<(ShardNumber, u64)>, OpenError> {
        let failed = engine(&self.path, "read");
        let mut shards = Vec::new();
        let mut after = -1;
        loop {
            let next: Option<i64> = self
                .connection
                .query_row(AFTER, [after], |row| row.get(0))
                .optional()
                .map_err(&failed)?;
            let Some(first) = next else { return Ok(shards) };
            let shard = shard_of(first);
            after = row_id(shard, MAX_POSITION);
            let last: i64 = self
                .connection
                .query_row(LAST, [after], |row| row.get(0))
                .map_err(&failed)?;
            shards.push((shard, position_of(last)));
        }
    }

    /// Gives each row of a shard above `after`, up to and with `upto`, in order of position.
    pub fn rows(
        &self,
        shard: ShardNumber,
        after: u64,
        upto: u64,
        mut each: impl FnMut(&RawRow<'_>),
    ) -> Result<(), OpenError> {
        let failed = engine(&self.path, "read");
        let mut statement = self.connection.prepare_cached(ROWS).map_err(&failed)?;
        let mut rows = statement
            .query((row_id(shard, after), row_id(shard, upto)))
            .map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let position = position_of(number(row, 0));
            each(&RawRow {
                parts: Parts {
                    envelope: bytes(row, 4),
                    payload: bytes(row, 5),
                    previous: digest(row, 6),
                    hash: digest(row, 7),
                    position,
                    hlc: Hlc(number(row, 1).cast_unsigned()),
                },
                stream: bytes(row, 2),
                sequence: number(row, 3).cast_unsigned(),
            });
        }
        Ok(())
    }
}

/// An integer; one that is none is given as 0, which no event has.
fn number(row: &Row<'_>, column: usize) -> i64 {
    row.get(column).unwrap_or(0)
}

fn bytes<'a>(row: &'a Row<'_>, column: usize) -> &'a [u8] {
    match row.get_ref(column) {
        Ok(ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => bytes,
        _ => &[],
    }
}

/// A digest; one of another length is given as zeros, which no bytes give.
fn digest(row: &Row<'_>, column: usize) -> Hash {
    Hash::try_from(bytes(row, column)).unwrap_or_default()
}
