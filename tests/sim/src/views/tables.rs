//! The tables of one generation: keys in their order, each with its newest value and its stamp.

use std::collections::BTreeMap;

use vaultstream_domain::ports::view_store::{
    Column, Direction, KeyPart, KeyType, MAX_SCAN, Row, RowKey, RowWrite, Scan, Table,
};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{Hlc, ShardNumber};

/// A value, empty for a row that is gone, and its stamp.
type Stamped = (Hlc, Vec<u8>);
/// Rows by partition and clustering.
type Rows = BTreeMap<(Vec<KeyPart>, Vec<KeyPart>), Stamped>;

/// One generation.
#[derive(Default)]
pub(super) struct Tables {
    tables: BTreeMap<&'static str, (Table, Rows)>,
    watermarks: BTreeMap<ShardNumber, Place>,
}

fn fits(parts: &[KeyPart], columns: &[Column]) -> Result<(), String> {
    let fits = |(part, column): (&KeyPart, &Column)| match (part, column.kind) {
        (KeyPart::Text(_), KeyType::Text) => true,
        (KeyPart::Number(number), KeyType::Number) => *number < 1 << 63,
        _ => false,
    };
    if parts.len() == columns.len() && parts.iter().zip(columns).all(fits) {
        Ok(())
    } else {
        Err(format!("{parts:?} does not fit its columns"))
    }
}

impl Tables {
    pub(super) fn add(&mut self, tables: &[Table]) {
        for table in tables {
            self.tables
                .entry(table.name)
                .or_insert_with(|| (*table, Rows::new()));
        }
    }

    fn table(&self, name: &str) -> Result<&(Table, Rows), String> {
        self.tables
            .get(name)
            .ok_or_else(|| format!("there is no table {name}"))
    }

    pub(super) fn check(&self, key: &RowKey) -> Result<(), String> {
        let (table, _) = self.table(key.table)?;
        fits(&key.partition, table.partition)?;
        fits(&key.clustering, table.clustering)
    }

    /// A higher stamp wins; an equal one keeps the larger value.
    pub(super) fn put(&mut self, row: &RowWrite) {
        let Some((_, rows)) = self.tables.get_mut(row.key.table) else {
            return;
        };
        let key = (row.key.partition.clone(), row.key.clustering.clone());
        let new = (row.hlc, row.value.clone());
        let slot = rows.entry(key).or_insert_with(|| new.clone());
        if *slot < new {
            *slot = new;
        }
    }

    /// A watermark never goes back.
    pub(super) fn advance(&mut self, marks: &BTreeMap<ShardNumber, Place>) {
        for (shard, place) in marks {
            let slot = self.watermarks.entry(*shard).or_insert(*place);
            *slot = (*slot).max(*place);
        }
    }

    pub(super) fn watermarks(&self) -> BTreeMap<ShardNumber, Place> {
        self.watermarks.clone()
    }

    pub(super) fn get(&self, key: &RowKey) -> Result<Option<Vec<u8>>, String> {
        self.check(key)?;
        let (_, rows) = self.table(key.table)?;
        let found = rows.get(&(key.partition.clone(), key.clustering.clone()));
        Ok(found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty()))
    }

    pub(super) fn scan(&self, scan: &Scan) -> Result<Vec<Row>, String> {
        let (table, rows) = self.table(scan.table)?;
        fits(&scan.partition, table.partition)?;
        fits(
            &scan.prefix,
            table
                .clustering
                .get(..scan.prefix.len())
                .ok_or("the prefix is too long")?,
        )?;
        if let Some(after) = &scan.after {
            fits(after, table.clustering)?;
        }
        let within = rows
            .range((scan.partition.clone(), Vec::new())..)
            .take_while(|((partition, _), _)| *partition == scan.partition)
            .filter(|((_, clustering), (_, value))| !value.is_empty() && clustering.starts_with(&scan.prefix))
            .map(|((_, clustering), (_, value))| Row {
                clustering: clustering.clone(),
                value: value.clone(),
            });
        let limit = scan.limit.min(MAX_SCAN);
        Ok(match scan.direction {
            Direction::Forward => {
                let beyond = |row: &Row| scan.after.as_ref().is_none_or(|after| row.clustering > *after);
                within.filter(beyond).take(limit).collect()
            }
            Direction::Backward => {
                let beyond = |row: &Row| scan.after.as_ref().is_none_or(|after| row.clustering < *after);
                let mut all: Vec<Row> = within.filter(beyond).collect();
                all.reverse();
                all.truncate(limit);
                all
            }
        })
    }

    pub(super) fn dump(
        &self,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, String> {
        let (table, rows) = self.table(table.name)?;
        let after = after.map(|key| (key.partition.clone(), key.clustering.clone()));
        let beyond = |key: &(Vec<KeyPart>, Vec<KeyPart>)| after.as_ref().is_none_or(|after| key > after);
        Ok(rows
            .iter()
            .filter(|(key, (_, value))| beyond(key) && !value.is_empty())
            .take(limit.min(MAX_SCAN))
            .map(|((partition, clustering), (_, value))| {
                let key = RowKey {
                    table: table.name,
                    partition: partition.clone(),
                    clustering: clustering.clone(),
                };
                (key, value.clone())
            })
            .collect())
    }
}
