//! Tables of views as SQLite has them: names, definitions and the statements that write them.
//!
//! Rows that are found by id or by position are wide and live in rowid tables beside their key's index; index entries
//! are narrow and live in the index itself. That choice changes speed, never answers.

use rusqlite::Statement;
use rusqlite::types::Value;
use vaultstream_domain::ports::view_store::{Column, KeyPart, KeyType, RowKey, Table, ViewRef};

use crate::database::FileKind;
use crate::views::sql::Refused;
use crate::views::write::WriteError;

/// The file.
pub(super) const KIND: FileKind = FileKind {
    application_id: 0x5653_7677,
    name: "view store",
    migrations: &["CREATE TABLE watermark (
        view TEXT NOT NULL,
        generation INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        incarnation INTEGER NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (view, generation, shard)
    ) WITHOUT ROWID, STRICT"],
};

pub(super) const WATERMARKS: &str =
    "SELECT shard, incarnation, position FROM watermark WHERE view = ?1 AND generation = ?2";
pub(super) const ADVANCE: &str = "INSERT INTO watermark (view, generation, shard, incarnation, position)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (view, generation, shard)
    DO UPDATE SET incarnation = excluded.incarnation, position = excluded.position
    WHERE (excluded.incarnation, excluded.position) > (incarnation, position)";
pub(super) const FORGET: &str = "DELETE FROM watermark WHERE view = ?1 AND generation = ?2";

/// A table of one generation.
#[derive(Debug)]
pub(super) struct Layout {
    /// Its name in the file.
    pub(super) name: String,
    /// All key columns, partition first.
    pub(super) columns: Vec<Column>,
    /// How many of them are the partition.
    pub(super) partition: usize,
    /// How many of them order rows inside it.
    pub(super) clustering: usize,
    /// Makes the table and the one of removed rows.
    pub(super) create: String,
    /// Reads one value.
    pub(super) get: String,
    /// Writes a row, when no row of the table was ever removed.
    pub(super) put: String,
    /// Writes a row unless it was removed later.
    pub(super) put_guarded: String,
    /// Removes an older row.
    pub(super) remove: String,
    /// Remembers the removal.
    pub(super) bury: String,
    /// Whether any row was ever removed.
    pub(super) any_buried: String,
    /// Forgets removals that no late write can come after.
    pub(super) forget_buried: String,
}

/// How long a removal is remembered, in microseconds of the shard's clock: longer than any writer can be late.
const REMEMBERED_US: u64 = 10 * 24 * 3600 * 1_000_000;

impl Layout {
    /// The layout of a table in a generation of a view.
    pub(super) fn try_new(view: &ViewRef, table: &Table) -> Result<Self, Refused> {
        let columns: Vec<Column> = table.partition.iter().chain(table.clustering).copied().collect();
        let words = columns.iter().map(|c| c.name).chain([view.view, table.name]);
        if let Some(bad) = words.into_iter().find(|word| !is_identifier(word)) {
            return Err(Refused(format!(
                "`{bad}` is no name of 1 to 40 characters a-z 0-9 _"
            )));
        }
        if table.partition.is_empty() || columns.len() > 8 {
            return Err(Refused(format!(
                "table {} must have 1 to 8 key columns and a partition",
                table.name
            )));
        }
        let name = format!("{}_g{}_{}", view.view, view.generation, table.name);
        let wide = table.clustering.iter().all(|c| c.kind == KeyType::Number);
        Ok(Self::new(name, columns, table.partition.len(), wide))
    }

    fn new(name: String, columns: Vec<Column>, partition: usize, wide: bool) -> Self {
        let keys: Vec<&str> = columns.iter().map(|c| c.name).collect();
        let keys = keys.join(", ");
        let definitions: String = columns
            .iter()
            .map(|c| {
                let kind = if c.kind == KeyType::Text {
                    "TEXT"
                } else {
                    "INTEGER"
                };
                format!("{} {kind} NOT NULL, ", c.name)
            })
            .collect();
        let holes: Vec<String> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
        let holes = holes.join(", ");
        let same: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| format!("{} = ?{}", c.name, i + 1))
            .collect();
        let same = same.join(" AND ");
        let (value, hlc) = (columns.len() + 1, columns.len() + 2);
        let store = if wide { "STRICT" } else { "WITHOUT ROWID, STRICT" };
        let upsert = format!(
            "ON CONFLICT ({keys}) DO UPDATE SET value = excluded.value, hlc = excluded.hlc \
             WHERE excluded.hlc > hlc OR (excluded.hlc = hlc AND excluded.value > value)"
        );
        Self {
            create: format!(
                "CREATE TABLE IF NOT EXISTS {name} ({definitions}value BLOB NOT NULL, hlc INTEGER NOT NULL, \
                 PRIMARY KEY ({keys})) {store};
                 CREATE TABLE IF NOT EXISTS {name}__dead ({definitions}hlc INTEGER NOT NULL, PRIMARY KEY ({keys})) \
                 WITHOUT ROWID, STRICT;"
            ),
            get: format!("SELECT value FROM {name} WHERE {same}"),
            put: format!("INSERT INTO {name} ({keys}, value, hlc) VALUES ({holes}, ?{value}, ?{hlc}) {upsert}"),
            put_guarded: format!(
                "INSERT INTO {name} ({keys}, value, hlc) SELECT {holes}, ?{value}, ?{hlc} \
                 WHERE NOT EXISTS (SELECT 1 FROM {name}__dead WHERE {same} AND hlc > ?{hlc}) {upsert}"
            ),
            remove: format!("DELETE FROM {name} WHERE {same} AND hlc < ?{value}"),
            bury: format!(
                "INSERT INTO {name}__dead ({keys}, hlc) SELECT {holes}, ?{value} \
                 WHERE NOT EXISTS (SELECT 1 FROM {name} WHERE {same}) \
                 ON CONFLICT ({keys}) DO UPDATE SET hlc = excluded.hlc WHERE excluded.hlc > hlc"
            ),
            any_buried: format!("SELECT EXISTS (SELECT 1 FROM {name}__dead)"),
            forget_buried: format!(
                "DELETE FROM {name}__dead WHERE hlc < (SELECT max(hlc) FROM {name}__dead) - {REMEMBERED_US}"
            ),
            clustering: columns.len() - partition,
            columns,
            partition,
            name,
        }
    }

    /// The values of a full key.
    pub(super) fn key(&self, key: &RowKey) -> Result<Vec<Value>, Refused> {
        self.check_width(key)?;
        self.values(0, key.partition.iter().chain(&key.clustering))
    }

    /// Binds a full key to a statement's first parameters; how many they are.
    pub(super) fn bind(&self, statement: &mut Statement<'_>, key: &RowKey) -> Result<usize, WriteError> {
        self.check_width(key)?;
        for (i, part) in key.partition.iter().chain(&key.clustering).enumerate() {
            match (part, self.columns[i].kind) {
                (KeyPart::Text(text), KeyType::Text) => statement.raw_bind_parameter(i + 1, text)?,
                (KeyPart::Number(number), KeyType::Number) => {
                    let number = i64::try_from(*number).map_err(|_| self.too_large(i))?;
                    statement.raw_bind_parameter(i + 1, number)?;
                }
                _ => return Err(self.mistyped(i).into()),
            }
        }
        Ok(self.columns.len())
    }

    fn check_width(&self, key: &RowKey) -> Result<(), Refused> {
        if (key.partition.len(), key.clustering.len()) == (self.partition, self.clustering) {
            return Ok(());
        }
        Err(Refused(format!(
            "a key of {} has another number of parts",
            key.table
        )))
    }

    fn too_large(&self, column: usize) -> Refused {
        Refused(format!("{} must be below 2^63", self.columns[column].name))
    }

    fn mistyped(&self, column: usize) -> Refused {
        Refused(format!(
            "{} of {} has another type",
            self.columns[column].name, self.name
        ))
    }

    /// The values of some parts of a key, from a column on.
    pub(super) fn values<'a>(
        &self,
        from: usize,
        parts: impl Iterator<Item = &'a KeyPart>,
    ) -> Result<Vec<Value>, Refused> {
        let value = |(i, part): (usize, &KeyPart)| match (part, self.columns[i].kind) {
            (KeyPart::Text(text), KeyType::Text) => Ok(Value::Text(text.clone())),
            (KeyPart::Number(number), KeyType::Number) => i64::try_from(*number)
                .map(Value::Integer)
                .map_err(|_| self.too_large(i)),
            _ => Err(self.mistyped(i)),
        };
        (from..self.columns.len()).zip(parts).map(value).collect()
    }
}

fn is_identifier(word: &str) -> bool {
    (1..=40).contains(&word.len())
        && word.as_bytes()[0].is_ascii_lowercase()
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !word.contains("__")
}
