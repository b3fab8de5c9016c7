//! The view store: rows of keys and one value, stamped with the log's clock.
//!
//! Contract. A row is (partition, clustering) → value bytes with a stamp. A write with a higher stamp wins; an equal
//! stamp keeps the larger value; so replays, duplicates and late writers converge, and nothing needs a transaction. An
//! empty value is a tombstone: the row is gone for readers and its stamp still counts. A partition is read in
//! clustering order, forwards or backwards, from an exclusive bound. Keys compare part by part: text as UTF-8 bytes,
//! numbers as numbers. `flush` makes totals durable, then rows, then the watermark. Generations of a view live in
//! tables of their own and are dropped whole. Adapters know no view by name.

use std::collections::BTreeMap;

use async_trait::async_trait;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Family, ShardNumber};

/// The most rows one scan returns.
pub const MAX_SCAN: usize = 1_000;

/// The type of a key's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// UTF-8 text.
    Text,
    /// An unsigned number below 2^63.
    Number,
}

/// One part of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPart {
    /// UTF-8 text.
    Text(String),
    /// An unsigned number below 2^63.
    Number(u64),
}

impl From<&str> for KeyPart {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for KeyPart {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<u64> for KeyPart {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// A column of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, `[a-z][a-z0-9_]*`.
    pub name: &'static str,
    /// Its type.
    pub kind: KeyType,
}

/// A table as a value; adapters derive their DDL from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name inside the view, `[a-z][a-z0-9_]{0,39}`.
    pub name: &'static str,
    /// What a partition is: at least one column.
    pub partition: &'static [Column],
    /// What orders rows inside a partition; may be empty.
    pub clustering: &'static [Column],
}

/// Which copy of which view, in which family's store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewRef {
    /// The family whose store holds it.
    pub family: Family,
    /// The view's name, `[a-z][a-z0-9_]{0,39}`.
    pub view: &'static str,
    /// Its generation, from 1.
    pub generation: u32,
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The table's name.
    pub table: &'static str,
    /// The partition.
    pub partition: Vec<KeyPart>,
    /// The clustering.
    pub clustering: Vec<KeyPart>,
}

/// A row to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWrite {
    /// Where.
    pub key: RowKey,
    /// The value; empty for a tombstone.
    pub value: Vec<u8>,
    /// The stamp.
    pub hlc: Hlc,
}

/// A row as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its clustering.
    pub clustering: Vec<KeyPart>,
    /// Its value, never empty.
    pub value: Vec<u8>,
}

/// Which way a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest clustering.
    Forward,
    /// From the highest clustering.
    Backward,
}

/// A part of a partition. `prefix` fixes leading clustering columns; `after` is an exclusive bound in reading order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The table's name.
    pub table: &'static str,
    /// The partition.
    pub partition: Vec<KeyPart>,
    /// Leading clustering parts every row must have; may be empty.
    pub prefix: Vec<KeyPart>,
    /// Full clustering of the row to go on after.
    pub after: Option<Vec<KeyPart>>,
    /// Which way.
    pub direction: Direction,
    /// At most this many rows, and [`MAX_SCAN`].
    pub limit: usize,
}

/// One flush of a projector: totals first, then rows, then how far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flush {
    /// Partial totals and index entries: what follows from rows, and therefore has to be there before them.
    pub totals: Vec<RowWrite>,
    /// Rows.
    pub rows: Vec<RowWrite>,
    /// The watermarks that hold once the rows are written.
    pub watermarks: BTreeMap<ShardNumber, Place>,
}

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
#[error("the view store cannot {doing}")]
pub struct ViewStoreError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The view store. See the module for the contract.
#[async_trait]
pub trait ViewStore: Send + Sync {
    /// Makes the tables of a view's generation; does nothing when they are there.
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError>;
    /// Drops the tables and watermarks of a view's generation.
    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError>;
    /// The live values of some rows, in the order asked; `None` for a missing row or a tombstone.
    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError>;
    /// Live rows of a partition.
    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError>;
    /// Writes a flush, durably enough to survive the process; what a crash loses is folded again from the log.
    async fn flush(&self, view: &ViewRef, flush: Flush) -> Result<(), ViewStoreError>;
    /// How far the generation has come, by shard.
    async fn watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, ViewStoreError>;
    /// Every live row of a table in key order, a page at a time, for dumps: pass the last row's key to go on.
    async fn dump(
        &self,
        view: &ViewRef,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, ViewStoreError>;
}
