//! The canonical dump of a view, and its digest: what two stores, or two generations, are compared by.
//!
//! One line a live row, in key order, `{"key":[…],"table":…,"value":…}`. Totals are summed over shards and origins first,
//! because how a total is divided says nothing about what happened. Quarantine and facts about the generation are left
//! out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use vaultstream_domain::ports::view_store::{
    KeyPart, MAX_SCAN, RowKey, Table, ViewRef, ViewStore, ViewStoreError,
};
use vaultstream_event_schemas::{Amount, OrganizationId};

use crate::rows::{Metric, TotalsRow};
use crate::tables;
use crate::view::View;

/// Why a view cannot be dumped.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ViewStoreError),
    /// A row is no JSON.
    #[error("a row of {table} cannot be read; rebuild the view")]
    Damaged {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    key: Vec<Part<'a>>,
    table: &'static str,
    value: &'a RawValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Text(&'a str),
    Number(u64),
}

#[derive(Serialize)]
struct TotalLine<'a> {
    count: Amount,
    label: &'a str,
    metric: Metric,
    #[serde(rename = "organizationId")]
    organization: OrganizationId,
}

/// Gives every line of the dump to `sink`, each with its line feed.
pub async fn dump(
    store: &dyn ViewStore,
    view: &dyn View,
    at: &ViewRef,
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(), DumpError> {
    for table in view.tables() {
        if table.name == tables::TOTALS.name {
            dump_totals(store, at, sink).await?;
        } else {
            dump_rows(store, at, table, sink).await?;
        }
    }
    Ok(())
}

/// SHA-256 of the dump, lower-case hex.
pub async fn digest(store: &dyn ViewStore, view: &dyn View, at: &ViewRef) -> Result<String, DumpError> {
    let mut hash = Sha256::new();
    dump(store, view, at, &mut |line| hash.update(line)).await?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn dump_rows(
    store: &dyn ViewStore,
    at: &ViewRef,
    table: &Table,
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(), DumpError> {
    let mut after: Option<RowKey> = None;
    loop {
        let page = store.dump(at, table, after.as_ref(), MAX_SCAN).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for (key, value) in &page {
            line(table.name, key, value, sink)?;
        }
    }
}

fn line(
    table: &'static str,
    key: &RowKey,
    value: &[u8],
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(), DumpError> {
    let damaged = |source| DumpError::Damaged { table, source };
    let parts = key
        .partition
        .iter()
        .chain(&key.clustering)
        .map(|part| match part {
            KeyPart::Text(text) => Part::Text(text),
            KeyPart::Number(number) => Part::Number(*number),
        });
    let value: &RawValue = serde_json::from_slice(value).map_err(damaged)?;
    let mut bytes = serde_json::to_vec(&Line {
        key: parts.collect(),
        table,
        value,
    })
    .map_err(damaged)?;
    bytes.push(b'\n');
    sink(&bytes);
    Ok(())
}

async fn dump_totals(
    store: &dyn ViewStore,
    at: &ViewRef,
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(), DumpError> {
    let table = tables::TOTALS.name;
    let damaged = |source| DumpError::Damaged { table, source };
    let mut sums: BTreeMap<(OrganizationId, Metric, String), Amount> = BTreeMap::new();
    let mut after: Option<RowKey> = None;
    loop {
        let page = store.dump(at, &tables::TOTALS, after.as_ref(), MAX_SCAN).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (_, value) in &page {
            let row: TotalsRow = serde_json::from_slice(value).map_err(damaged)?;
            let sum = sums
                .entry((row.organization_id, row.metric, row.label))
                .or_default();
            *sum = sum.wrapping_add(row.count);
        }
    }
    for ((organization, metric, label), count) in sums.iter().filter(|(_, sum)| !sum.is_zero()) {
        let total = TotalLine {
            count: *count,
            label,
            metric: *metric,
            organization: *organization,
        };
        let value = serde_json::value::to_raw_value(&total).map_err(damaged)?;
        let key = vec![Part::Text(metric.as_str()), Part::Text(label)];
        let mut bytes = serde_json::to_vec(&Line {
            key,
            table,
            value: &value,
        })
        .map_err(damaged)?;
        bytes.push(b'\n');
        sink(&bytes);
    }
    Ok(())
}
