//! Tables of views as CQL has them: names, definitions and statements.
//!
//! A table of a generation is `<view>_g<generation>_<table>`; beside them lie `<view>_g<generation>__mark` (how far the
//! generation has come) and `…__bucket` (which buckets a partition has). Every partition ends in a bucket number: 0 for
//! tables that are not cut, so that a key of one empty text is allowed, too. A table's comment says how it is cut.

use vaultstream_domain::ports::view_store::{Direction, KeyPart, KeyType, RowKey, Table, ViewRef};

use crate::error::Refused;
use crate::options::{BucketWidth, is_word};
use crate::schema::KeyColumn;

/// The longest name of a table; Apache Cassandra allows no more.
const MAX_NAME: usize = 48;
/// The longest name of a view, a table or a column.
const MAX_WORD: usize = 40;
/// What a comment begins with.
const COMMENT: &str = "vaultstream view rows, bucket width ";

/// The names of everything of one generation begin so.
pub(crate) fn stem(view: &ViewRef) -> String {
    format!("{}_g{}_", view.view, view.generation)
}

/// A table of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Keyspace and name.
    pub(crate) name: String,
    /// Key columns without the bucket, partition first.
    pub(crate) columns: Vec<KeyColumn>,
    /// How many of them are the partition.
    pub(crate) partition: usize,
    /// How many values of the first clustering column are a bucket; none when the table is not cut.
    pub(crate) width: Option<u64>,
}

/// Which part of a partition a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// Leading clustering columns that are fixed.
    pub(crate) prefix: usize,
    /// Whether there is a bound; it names the whole clustering.
    pub(crate) bound: bool,
    /// From the highest clustering.
    pub(crate) backward: bool,
}

impl Layout {
    /// The layout that a table of a generation gets when it is made.
    pub(crate) fn try_new(
        keyspace: &str,
        view: &ViewRef,
        table: &Table,
        widths: &[BucketWidth],
    ) -> Result<Self, Refused> {
        let columns = table.partition.iter().chain(table.clustering);
        let words = columns.clone().map(|c| c.name).chain([view.view, table.name]);
        if let Some(bad) = words.into_iter().find(|word| !is_word(word, MAX_WORD)) {
            return Err(Refused(format!(
                "`{bad}` is no name of 1 to {MAX_WORD} characters a-z 0-9 _"
            )));
        }
        let columns: Vec<KeyColumn> = columns
            .map(|c| KeyColumn {
                name: c.name.to_owned(),
                kind: c.kind,
            })
            .collect();
        if table.partition.is_empty() || columns.len() > 8 {
            return Err(Refused(format!(
                "table {} must have 1 to 8 key columns and a partition",
                table.name
            )));
        }
        if let Some(own) = columns
            .iter()
            .find(|c| ["bucket", "value"].contains(&c.name.as_str()))
        {
            return Err(Refused(format!(
                "table {} must not call a column {}",
                table.name, own.name
            )));
        }
        let name = format!("{}{}", stem(view), table.name);
        if name.len() > MAX_NAME {
            return Err(Refused(format!(
                "`{name}` is longer than {MAX_NAME} characters; shorten the names of the view or the table"
            )));
        }
        let width = table.clustering.first().and_then(|first| {
            let cut = widths
                .iter()
                .find(|w| w.column == first.name && first.kind == KeyType::Number);
            cut.map(|w| w.width)
        });
        Ok(Self {
            name: format!("{keyspace}.{name}"),
            columns,
            partition: table.partition.len(),
            width,
        })
    }

    /// The layout of a table that is there; none when it is no table of views.
    pub(crate) fn of_existing(
        name: String,
        mut partition: Vec<KeyColumn>,
        clustering: Vec<KeyColumn>,
        comment: &str,
    ) -> Option<Self> {
        let bucket = partition.pop()?;
        let width: u64 = comment.strip_prefix(COMMENT)?.parse().ok()?;
        if bucket.name != "bucket" || partition.is_empty() {
            return None;
        }
        let cut = partition.len();
        partition.extend(clustering);
        Some(Self {
            name,
            columns: partition,
            partition: cut,
            width: (width > 0).then_some(width),
        })
    }

    /// Whether rows of one fit the other, however they are cut.
    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        self.columns == other.columns && self.partition == other.partition
    }

    pub(crate) const fn clustering(&self) -> usize {
        self.columns.len() - self.partition
    }

    /// The bucket of a row by its clustering.
    pub(crate) fn bucket(&self, clustering: &[KeyPart]) -> i64 {
        match (self.width, clustering.first()) {
            // Below 2^63, as the number itself.
            (Some(width), Some(KeyPart::Number(number))) => i64::try_from(number / width).unwrap_or(i64::MAX),
            _ => 0,
        }
    }

    /// Refuses a key that does not fit.
    pub(crate) fn check(&self, key: &RowKey) -> Result<(), Refused> {
        if (key.partition.len(), key.clustering.len()) != (self.partition, self.clustering()) {
            return Err(Refused(format!(
                "a key of {} has another number of parts",
                key.table
            )));
        }
        self.check_parts(0, key.partition.iter().chain(&key.clustering))
    }

    /// Refuses parts of a key, from a column on, that do not fit.
    pub(crate) fn check_parts<'a>(
        &self,
        from: usize,
        parts: impl Iterator<Item = &'a KeyPart>,
    ) -> Result<(), Refused> {
        for (part, column) in parts.zip(self.columns.get(from..).unwrap_or_default()) {
            match (part, column.kind) {
                (KeyPart::Text(text), KeyType::Text) if text.len() <= MAX_TEXT => {}
                (KeyPart::Text(_), KeyType::Text) => {
                    return Err(Refused(format!(
                        "{} must be at most {MAX_TEXT} bytes",
                        column.name
                    )));
                }
                (KeyPart::Number(number), KeyType::Number) if i64::try_from(*number).is_ok() => {}
                (KeyPart::Number(_), KeyType::Number) => {
                    return Err(Refused(format!("{} must be below 2^63", column.name)));
                }
                _ => {
                    return Err(Refused(format!(
                        "{} of {} has another type",
                        column.name, self.name
                    )));
                }
            }
        }
        Ok(())
    }

    fn names(&self, from: usize, to: usize) -> String {
        let names: Vec<&str> = self.columns[from..to].iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    }

    /// `a = ? AND b = ? AND bucket = ?` for the partition.
    fn partition_is(&self) -> String {
        let same: String = self.columns[..self.partition]
            .iter()
            .map(|c| format!("{} = ? AND ", c.name))
            .collect();
        format!("{same}bucket = ?")
    }

    pub(crate) fn create(&self) -> String {
        let definitions: String = self
            .columns
            .iter()
            .map(|c| {
                let kind = if c.kind == KeyType::Text { "text" } else { "bigint" };
                format!("{} {kind}, ", c.name)
            })
            .collect();
        let (name, partition) = (&self.name, self.names(0, self.partition));
        let mut clustering = self.names(self.partition, self.columns.len());
        if !clustering.is_empty() {
            clustering.insert_str(0, ", ");
        }
        let width = self.width.unwrap_or(0);
        format!(
            "CREATE TABLE IF NOT EXISTS {name} ({definitions}bucket bigint, value blob, \
             PRIMARY KEY (({partition}, bucket){clustering})) WITH comment = '{COMMENT}{width}'"
        )
    }

    /// Values: stamp, value, key. No marker of the row is written besides, so the value is all there is.
    pub(crate) fn put(&self) -> String {
        let clustering: String = self.columns[self.partition..]
            .iter()
            .map(|c| format!(" AND {} = ?", c.name))
            .collect();
        let (name, partition) = (&self.name, self.partition_is());
        format!("UPDATE {name} USING TIMESTAMP ? SET value = ? WHERE {partition}{clustering}")
    }

    /// Values: the key.
    pub(crate) fn get(&self) -> String {
        let clustering: String = self.columns[self.partition..]
            .iter()
            .map(|c| format!(" AND {} = ?", c.name))
            .collect();
        let (name, partition) = (&self.name, self.partition_is());
        format!("SELECT value FROM {name} WHERE {partition}{clustering}")
    }

    /// Values: partition and bucket, then the bound when there is one, then the prefix when there is one. Several columns
    /// are compared as tuples throughout, because ScyllaDB does not mix tuples with single columns.
    pub(crate) fn scan(&self, shape: Shape) -> String {
        let (first, all) = (self.partition, self.columns.len());
        let (beyond, within, order) = if shape.backward {
            ("<", ">=", " DESC")
        } else {
            (">", "<=", "")
        };
        let mut conditions = self.partition_is();
        if shape.bound {
            conditions += &format!(" AND {}", self.compare(first, all, beyond, all - first > 1));
        }
        if shape.prefix > 0 {
            let compare = if shape.bound { within } else { "=" };
            let tuple = shape.bound || shape.prefix > 1;
            conditions += &format!(
                " AND {}",
                self.compare(first, first + shape.prefix, compare, tuple)
            );
        }
        let order = if order.is_empty() || all == first {
            String::new()
        } else {
            let columns: Vec<String> = self.columns[first..]
                .iter()
                .map(|c| format!("{}{order}", c.name))
                .collect();
            format!(" ORDER BY {}", columns.join(", "))
        };
        let columns = self.selected(first);
        format!("SELECT {columns} FROM {} WHERE {conditions}{order}", self.name)
    }

    /// Values: from (exclusive) and to (inclusive) on the ring.
    pub(crate) fn dump(&self) -> String {
        let (columns, name, partition) = (self.selected(0), &self.name, self.names(0, self.partition));
        format!(
            "SELECT {columns} FROM {name} WHERE token({partition}, bucket) > ? AND token({partition}, bucket) <= ?"
        )
    }

    fn selected(&self, from: usize) -> String {
        let mut columns = self.names(from, self.columns.len());
        if !columns.is_empty() {
            columns.push_str(", ");
        }
        columns + "value"
    }

    fn compare(&self, from: usize, to: usize, compare: &str, tuple: bool) -> String {
        let names = self.names(from, to);
        if !tuple {
            return format!("{names} {compare} ?");
        }
        let holes = vec!["?"; to - from].join(", ");
        format!("({names}) {compare} ({holes})")
    }
}

/// The longest text in a key, in bytes; a whole key must stay below 64 KiB.
const MAX_TEXT: usize = 8 << 10;

/// How far a generation has come: a row a shard and incarnation, the position being its own stamp.
pub(crate) struct Marks(pub(crate) String);

impl Marks {
    pub(crate) fn of(keyspace: &str, view: &ViewRef) -> Self {
        Self(format!("{keyspace}.{}_mark", stem(view)))
    }
    pub(crate) fn create(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (shard int, incarnation bigint, position bigint, \
             PRIMARY KEY (shard, incarnation))",
            self.0
        )
    }
    /// Values: stamp, position, shard, incarnation.
    pub(crate) fn put(&self) -> String {
        format!(
            "UPDATE {} USING TIMESTAMP ? SET position = ? WHERE shard = ? AND incarnation = ?",
            self.0
        )
    }
    pub(crate) fn all(&self) -> String {
        format!("SELECT shard, incarnation, position FROM {}", self.0)
    }
}

/// Which buckets a partition has.
pub(crate) struct Directory(pub(crate) String);

impl Directory {
    pub(crate) fn of(keyspace: &str, view: &ViewRef) -> Self {
        Self(format!("{keyspace}.{}_bucket", stem(view)))
    }
    pub(crate) fn create(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (table_name text, parts blob, bucket bigint, \
             PRIMARY KEY ((table_name, parts), bucket))",
            self.0
        )
    }
    /// Values: table, partition, bucket. All writes of a bucket are the same.
    pub(crate) fn put(&self) -> String {
        format!(
            "INSERT INTO {} (table_name, parts, bucket) VALUES (?, ?, ?) USING TIMESTAMP 1",
            self.0
        )
    }
    /// Values: table, partition, the first bucket wanted.
    pub(crate) fn page(&self, direction: Direction) -> String {
        let (compare, order) = match direction {
            Direction::Forward => (">=", "ASC"),
            Direction::Backward => ("<=", "DESC"),
        };
        format!(
            "SELECT bucket FROM {} WHERE table_name = ? AND parts = ? AND bucket {compare} ? ORDER BY bucket {order}",
            self.0
        )
    }
}
