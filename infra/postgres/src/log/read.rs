//! Reads: rows back into events. Every statement goes by one index; positions are dense, so a page of a shard is a
//! range and touches the segments it lies in only.

use sqlx::Row;
use sqlx::postgres::PgRow;
use vaultstream_domain::ports::event_log::{Head, Leaf, LogError, Snapshot};
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::{GENESIS, Hash, StoredEvent};
use vaultstream_event_schemas::{ShardNumber, StreamId};

use crate::database::Database;
use crate::error::failed;
use crate::guarded::Guarded;

const BY_SHARD: &str = "SELECT position, hlc, envelope, payload, previous, hash FROM vaultstream.event \
     WHERE shard = $1 AND position > $2 AND position <= $3 ORDER BY position";
const LEAVES: &str = "SELECT position, hlc, envelope, hash FROM vaultstream.event \
     WHERE shard = $1 AND position > $2 AND position <= $3 ORDER BY position";
const BY_STREAM: &str = "SELECT position, hlc, envelope, payload, previous, hash FROM vaultstream.event \
     WHERE stream = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
const HEADS: &str = "SELECT s.number, s.incarnation, coalesce(e.position, 0), coalesce(e.hlc, 0) \
     FROM vaultstream.shard s LEFT JOIN LATERAL (SELECT position, hlc FROM vaultstream.event \
     WHERE shard = s.number ORDER BY position DESC LIMIT 1) e ON true WHERE s.here ORDER BY s.number";
const BEYOND: &str = "SELECT s.shard, e.position, e.hlc \
     FROM unnest($1::integer[], $2::bigint[]) AS s(shard, position) \
     CROSS JOIN LATERAL (SELECT position, hlc FROM vaultstream.event \
     WHERE shard = s.shard AND position > s.position ORDER BY position DESC LIMIT 1) e";
const SNAPSHOT: &str =
    "SELECT sequence, hash, state FROM vaultstream.snapshot WHERE stream = $1 AND fold_version = $2";

/// A number of the port as one of the engine; what lies beyond is as good as the end.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A shard's number as it was stored.
fn shard_number(n: i32) -> ShardNumber {
    ShardNumber(u16::try_from(n).unwrap_or(u16::MAX))
}

/// The rows of a shard above `after`, at most `limit`.
async fn range(
    database: &Database,
    statement: &'static str,
    shard: ShardNumber,
    (after, limit): (u64, usize),
) -> Result<Vec<PgRow>, sqlx::Error> {
    let last = signed(after.saturating_add(limit as u64));
    let read = |pool: Guarded| async move {
        sqlx::query(statement)
            .bind(i32::from(shard.0))
            .bind(signed(after))
            .bind(last)
            .fetch_all(&pool)
            .await
    };
    database.reading(read).await
}

/// Events of a shard above `after`.
pub(super) async fn by_shard(
    database: &Database,
    shard: ShardNumber,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, LogError> {
    let rows = range(database, BY_SHARD, shard, (after, limit)).await;
    let rows = rows.map_err(failed("read a shard"))?;
    rows.iter().map(|row| event(row, shard)).collect()
}

/// All that a leaf needs of an envelope.
#[derive(serde::Deserialize)]
struct Life {
    incarnation: u32,
}

/// The leaves of a shard above `after`.
pub(super) async fn leaves(
    database: &Database,
    shard: ShardNumber,
    after: u64,
    limit: usize,
) -> Result<Vec<Leaf>, LogError> {
    let rows = range(database, LEAVES, shard, (after, limit)).await;
    let rows = rows.map_err(failed("read the leaves of a shard"))?;
    let leaves = rows.iter().map(|row| {
        let position: i64 = row.try_get(0).map_err(failed("read a leaf"))?;
        let position = position.cast_unsigned();
        leaf(row, position).map_err(|source| LogError::Damaged {
            shard,
            position,
            source,
        })
    });
    leaves.collect()
}

fn leaf(row: &PgRow, position: u64) -> Result<Leaf, Damage> {
    let hlc: i64 = row.try_get(1)?;
    let life: Life = serde_json::from_slice(row.try_get(2)?)?;
    Ok(Leaf {
        position,
        hlc: Hlc(hlc.cast_unsigned()),
        incarnation: life.incarnation,
        hash: Hash::try_from(row.try_get::<&[u8], _>(3)?)?,
    })
}

/// Events of a stream above `after`.
pub(super) async fn by_stream(
    database: &Database,
    stream: StreamId,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, LogError> {
    let read = |pool: Guarded| async move {
        sqlx::query(BY_STREAM)
            .bind(stream.to_string())
            .bind(signed(after))
            .bind(signed(limit as u64))
            .fetch_all(&pool)
            .await
    };
    let rows = database.reading(read).await.map_err(failed("read a stream"))?;
    rows.iter().map(|row| event(row, stream.shard())).collect()
}

/// Where every shard of a database stands.
pub(super) async fn heads(database: &Database) -> Result<Vec<(ShardNumber, Head)>, sqlx::Error> {
    let read = |pool: Guarded| async move {
        sqlx::query_as::<_, (i32, i32, i64, i64)>(HEADS)
            .fetch_all(&pool)
            .await
    };
    let rows = database.reading(read).await?;
    let heads = rows.into_iter().map(|(number, incarnation, position, hlc)| {
        let head = Head {
            incarnation: incarnation.cast_unsigned(),
            position: position.cast_unsigned(),
            hlc: Hlc(hlc.cast_unsigned()),
        };
        (shard_number(number), head)
    });
    Ok(heads.collect())
}

/// The shards that stand beyond the given positions.
pub(super) async fn beyond(
    database: &Database,
    known: &[(ShardNumber, u64)],
) -> Result<Vec<(ShardNumber, u64, Hlc)>, sqlx::Error> {
    let (shards, positions): (Vec<i32>, Vec<i64>) = known
        .iter()
        .map(|(shard, position)| (i32::from(shard.0), signed(*position)))
        .unzip();
    let rows: Vec<(i32, i64, i64)> = sqlx::query_as(BEYOND)
        .bind(shards)
        .bind(positions)
        .fetch_all(database.read())
        .await?;
    let moved = rows.into_iter().map(|(shard, position, hlc)| {
        (
            shard_number(shard),
            position.cast_unsigned(),
            Hlc(hlc.cast_unsigned()),
        )
    });
    Ok(moved.collect())
}

/// A stream's snapshot.
pub(super) async fn snapshot(
    database: &Database,
    stream: StreamId,
    fold_version: u32,
) -> Result<Option<Snapshot>, LogError> {
    let read = |pool: Guarded| async move {
        sqlx::query_as::<_, (i64, Vec<u8>, Vec<u8>)>(SNAPSHOT)
            .bind(stream.to_string())
            .bind(i64::from(fold_version))
            .fetch_optional(&pool)
            .await
    };
    let found = database.reading(read).await.map_err(failed("load a snapshot"))?;
    // A snapshot is a cache: one that cannot be read is none.
    Ok(found.and_then(|(sequence, hash, state)| {
        Some(Snapshot {
            sequence: sequence.cast_unsigned(),
            hash: Hash::try_from(hash).ok()?,
            state,
        })
    }))
}

/// Why a row is no event.
type Damage = Box<dyn std::error::Error + Send + Sync>;

fn event(row: &PgRow, shard: ShardNumber) -> Result<StoredEvent, LogError> {
    let position: i64 = row.try_get(0).map_err(failed("read an event"))?;
    let position = position.cast_unsigned();
    decode(row, position).map_err(|source| LogError::Damaged {
        shard,
        position,
        source,
    })
}

fn decode(row: &PgRow, position: u64) -> Result<StoredEvent, Damage> {
    let hlc: i64 = row.try_get(1)?;
    let envelope: &[u8] = row.try_get(2)?;
    let payload: Vec<u8> = row.try_get(3)?;
    let previous: Option<&[u8]> = row.try_get(4)?;
    let hash: &[u8] = row.try_get(5)?;
    let hashes = (
        previous.map_or(Ok(GENESIS), Hash::try_from)?,
        Hash::try_from(hash)?,
    );
    Ok(StoredEvent::from_stored(
        position,
        Hlc(hlc.cast_unsigned()),
        envelope,
        payload,
        hashes,
    )?)
}
