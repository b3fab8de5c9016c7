//! The chain on disk: one SQLite file.
//!
//! What changes together is written in one transaction: a block with its state changes and the record that undoes it,
//! or all blocks of a reorganisation. The file is locked for the life of the process. Undo records reach
//! [`HISTORY`] blocks back; detached blocks are kept as long, because nodes answer for them by hash too.

mod blocks;
mod world;

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::Error, options::Durability};

/// How many blocks can be undone, and how far back state can be read.
pub(crate) const HISTORY: u64 = 256;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE, canonical INTEGER NOT NULL,
    header BLOB NOT NULL, body BLOB NOT NULL, receipts BLOB NOT NULL, credits BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS blocks_canonical ON blocks (number) WHERE canonical = 1;
CREATE INDEX IF NOT EXISTS blocks_detached ON blocks (number) WHERE canonical = 0;
CREATE TABLE IF NOT EXISTS transactions (
    hash BLOB PRIMARY KEY, number INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS undo (number INTEGER PRIMARY KEY, changes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    address BLOB PRIMARY KEY, nonce BLOB NOT NULL, balance BLOB NOT NULL, code_hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slots (
    address BLOB NOT NULL, slot BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (address, slot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS codes (hash BLOB PRIMARY KEY, code BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS credits (id INTEGER PRIMARY KEY, address BLOB NOT NULL, wei BLOB NOT NULL);
";

pub(crate) struct Store {
    connection: Connection,
    chain_id: u64,
}

impl Store {
    pub(crate) fn open(data_dir: &Path, chain_id: u64, durability: Durability) -> Result<Self, Error> {
        std::fs::create_dir_all(data_dir).map_err(|source| Error::Io {
            what: format!("cannot create the data directory {}", data_dir.display()),
            source,
        })?;
        let connection = Connection::open(data_dir.join("chain.sqlite"))?;
        let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::InUse(data_dir.to_owned()),
            _ => Error::Database(error),
        };
        connection.busy_timeout(std::time::Duration::ZERO)?;
        // exclusive: two chains writing one file would fork it; the lock dies with the process
        let sync = if durability == Durability::PowerLoss {
            "FULL"
        } else {
            "NORMAL"
        };
        connection
            .pragma_update(None, "locking_mode", "EXCLUSIVE")
            .map_err(in_use)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(in_use)?;
        connection
            .pragma_update(None, "synchronous", sync)
            .map_err(in_use)?;
        connection.execute_batch(SCHEMA).map_err(in_use)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { connection, chain_id })
    }

    pub(crate) fn begin(&self) -> Result<(), Error> {
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    pub(crate) fn commit(&self) -> Result<(), Error> {
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// Ends a failed transaction; a second failure here says nothing that the first did not.
    pub(crate) fn rollback(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    pub(crate) fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let mut query = self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE name = ?")?;
        let text: Option<String> = query.query_row(params![name], |row| row.get(0)).optional()?;
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|error| Error::Damaged(format!("record {name}: {error}")))
    }

    pub(crate) fn put_meta(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).expect("plain records serialize");
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?, ?)")?;
        statement.execute(params![name, text])?;
        Ok(())
    }
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::Damaged(what.to_string())
}
