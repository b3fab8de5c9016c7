//! Statements that read: one value, a part of a partition, a page of a dump.

use std::cmp::Ordering;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use vaultstream_domain::ports::view_store::{Direction, KeyPart, MAX_SCAN, RowKey, Scan};

use crate::views::schema::Layout;

/// What was asked for does not fit this store.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// A statement and its values.
type Statement = (String, Vec<Value>);

/// A key's part out of a column.
pub(super) fn value_of(value: ValueRef<'_>) -> rusqlite::Result<KeyPart> {
    Ok(match value {
        ValueRef::Integer(number) => KeyPart::Number(number.unsigned_abs()),
        other => KeyPart::Text(other.as_str()?.to_owned()),
    })
}

/// The live value under a key.
pub(super) fn get(
    connection: &Connection,
    layout: &Layout,
    key: &[Value],
) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached(&layout.get)?;
    statement
        .query_row(params_from_iter(key), |row| row.get(0))
        .optional()
}

/// A part of a partition; none when nothing can be in it.
pub(super) fn scan(layout: &Layout, scan: &Scan) -> Result<Option<Statement>, Refused> {
    if scan.partition.len() != layout.partition || scan.prefix.len() > layout.clustering {
        return Err(Refused(format!(
            "a scan of {} has another number of parts",
            scan.table
        )));
    }
    let fixed = scan.partition.iter().chain(&scan.prefix);
    let mut values = layout.values(0, fixed)?;
    let mut conditions: Vec<String> = (0..values.len())
        .map(|i| format!("{} = ?{}", layout.columns[i].name, i + 1))
        .collect();
    let (compare, order) = match scan.direction {
        Direction::Forward => (">", "ASC"),
        Direction::Backward => ("<", "DESC"),
    };
    if let Some(after) = &scan.after {
        if after.len() != layout.clustering {
            return Err(Refused(format!(
                "a bound of {} must have every part of the clustering",
                scan.table
            )));
        }
        let (head, rest) = after.split_at(scan.prefix.len());
        let side = match scan.direction {
            Direction::Forward => head.cmp(&scan.prefix),
            Direction::Backward => head.cmp(&scan.prefix).reverse(),
        };
        match side {
            // The bound lies before the prefix, so it cuts nothing off.
            Ordering::Less => {}
            // The bound lies behind the prefix, or is the one row that the prefix names.
            Ordering::Greater => return Ok(None),
            Ordering::Equal if rest.is_empty() => return Ok(None),
            Ordering::Equal => {
                let first = values.len();
                values.extend(layout.values(first, rest.iter())?);
                conditions.push(beyond(layout, first, compare));
            }
        }
    }
    let clustering = &layout.columns[layout.partition..];
    let mut columns: Vec<&str> = clustering.iter().map(|c| c.name).collect();
    columns.push("value");
    let order: Vec<String> = clustering.iter().map(|c| format!("{} {order}", c.name)).collect();
    let order = if order.is_empty() {
        String::new()
    } else {
        format!("ORDER BY {}", order.join(", "))
    };
    values.push(limit_value(scan.limit.min(MAX_SCAN)));
    let (columns, name, conditions) = (columns.join(", "), &layout.name, conditions.join(" AND "));
    Ok(Some((
        format!(
            "SELECT {columns} FROM {name} WHERE {conditions} {order} LIMIT ?{}",
            values.len()
        ),
        values,
    )))
}

/// A page of a whole table in key order.
pub(super) fn dump(layout: &Layout, after: Option<&RowKey>, limit: usize) -> Result<Statement, Refused> {
    let mut values = after.map(|key| layout.key(key)).transpose()?.unwrap_or_default();
    let condition = if values.is_empty() {
        "TRUE".to_owned()
    } else {
        beyond(layout, 0, ">")
    };
    values.push(limit_value(limit));
    let columns: Vec<&str> = layout.columns.iter().map(|c| c.name).collect();
    let (columns, name) = (columns.join(", "), &layout.name);
    let sql = format!(
        "SELECT {columns}, value FROM {name} WHERE {condition} ORDER BY {columns} LIMIT ?{}",
        values.len()
    );
    Ok((sql, values))
}

fn limit_value(limit: usize) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// Key columns from `first` on compared with their values, as one row value: SQLite seeks to it.
fn beyond(layout: &Layout, first: usize, compare: &str) -> String {
    let columns: Vec<&str> = layout.columns[first..].iter().map(|c| c.name).collect();
    let holes: Vec<String> = (first..layout.columns.len())
        .map(|i| format!("?{}", i + 1))
        .collect();
    format!("({}) {compare} ({})", columns.join(", "), holes.join(", "))
}
