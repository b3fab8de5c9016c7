//! Reads of the log on one connection: rows back into events.

use rusqlite::{Connection, OptionalExtension, Row, Rows};
use vaultstream_domain::ports::event_log::{Leaf, LogError, Snapshot};
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::{Hash, StoredEvent};
use vaultstream_event_schemas::{ShardNumber, StreamId};

use super::schema::{self, position_of, row_id, shard_of};

fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> LogError {
    move |source| LogError::Engine {
        doing,
        source: Box::new(source),
    }
}

/// Events of a shard above `after`.
pub(crate) fn by_shard(
    connection: &Connection,
    shard: ShardNumber,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, LogError> {
    let failed = failed("read a shard");
    let mut statement = connection.prepare_cached(schema::BY_SHARD).map_err(&failed)?;
    let last = row_id(shard, schema::MAX_POSITION);
    let rows = statement
        .query((row_id(shard, after), last, bounded(limit)))
        .map_err(&failed)?;
    collect(rows, &failed)
}

/// The leaves of a shard above `after`.
pub(super) fn leaves(
    connection: &Connection,
    shard: ShardNumber,
    after: u64,
    limit: usize,
) -> Result<Vec<Leaf>, LogError> {
    let failed = failed("read the leaves of a shard");
    let mut statement = connection.prepare_cached(schema::LEAVES).map_err(&failed)?;
    let last = row_id(shard, schema::MAX_POSITION);
    let mut rows = statement
        .query((row_id(shard, after), last, bounded(limit)))
        .map_err(&failed)?;
    let mut leaves = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let id: i64 = row.get(0).map_err(&failed)?;
        let position = position_of(id);
        leaves.push(leaf(row, position).map_err(|source| LogError::Damaged {
            shard,
            position,
            source,
        })?);
    }
    Ok(leaves)
}

/// All that a leaf needs of an envelope.
#[derive(serde::Deserialize)]
struct Life {
    incarnation: u32,
}

fn leaf(row: &Row<'_>, position: u64) -> Result<Leaf, Damage> {
    let hlc: i64 = row.get(1)?;
    let life: Life = serde_json::from_slice(row.get_ref(2)?.as_blob()?)?;
    Ok(Leaf {
        position,
        hlc: Hlc(hlc.cast_unsigned()),
        incarnation: life.incarnation,
        hash: Hash::try_from(row.get_ref(3)?.as_blob()?)?,
    })
}

/// Events of a stream above `after`.
pub(super) fn by_stream(
    connection: &Connection,
    stream: StreamId,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, LogError> {
    let failed = failed("read a stream");
    let mut statement = connection.prepare_cached(schema::BY_STREAM).map_err(&failed)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = statement
        .query((stream.to_bytes(), after, bounded(limit)))
        .map_err(&failed)?;
    collect(rows, &failed)
}

/// A stream's snapshot.
pub(super) fn snapshot(
    connection: &Connection,
    stream: StreamId,
    fold_version: u32,
) -> Result<Option<Snapshot>, LogError> {
    let failed = failed("load a snapshot");
    let mut statement = connection
        .prepare_cached(schema::LOAD_SNAPSHOT)
        .map_err(&failed)?;
    let found = statement
        .query_row((stream.to_bytes(), fold_version), |row| {
            let sequence: i64 = row.get(0)?;
            let hash: Vec<u8> = row.get(1)?;
            Ok((sequence.cast_unsigned(), hash, row.get(2)?))
        })
        .optional()
        .map_err(&failed)?;
    // A snapshot is a cache: one that cannot be read is none.
    Ok(found.and_then(|(sequence, hash, state)| {
        Some(Snapshot {
            sequence,
            hash: Hash::try_from(hash).ok()?,
            state,
        })
    }))
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn collect(
    mut rows: Rows<'_>,
    failed: &impl Fn(rusqlite::Error) -> LogError,
) -> Result<Vec<StoredEvent>, LogError> {
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        events.push(event(row)?);
    }
    Ok(events)
}

/// Why a row is no event.
type Damage = Box<dyn std::error::Error + Send + Sync>;

fn event(row: &Row<'_>) -> Result<StoredEvent, LogError> {
    let id: i64 = row.get(0).map_err(failed("read an event"))?;
    let position = position_of(id);
    decode(row, position).map_err(|source| LogError::Damaged {
        shard: shard_of(id),
        position,
        source,
    })
}

fn decode(row: &Row<'_>, position: u64) -> Result<StoredEvent, Damage> {
    let hlc: i64 = row.get(1)?;
    let envelope = row.get_ref(2)?.as_blob()?;
    let payload = row.get_ref(3)?.as_blob()?.to_vec();
    let hashes = (
        Hash::try_from(row.get_ref(4)?.as_blob()?)?,
        Hash::try_from(row.get_ref(5)?.as_blob()?)?,
    );
    Ok(StoredEvent::from_stored(
        position,
        Hlc(hlc.cast_unsigned()),
        envelope,
        payload,
        hashes,
    )?)
}
