//! What the log is measured against: the same rows into the same tables, combined into statements of the same size and
//! durable in the same way, with nothing around them. For the bench only; it knows no conflicts and gives no answers.

use std::time::{Duration, Instant};

use vaultstream_domain::ports::event_log::{AppendCommand, LogError};

use crate::database::Database;
use crate::error::failed;

const INSERT: &str = "WITH stream AS (INSERT INTO vaultstream.stream_head (stream, sequence, hash) \
     SELECT e.stream, e.sequence, e.hash FROM unnest($4::text[], $3::bigint[], $6::bytea[]) AS e(stream, sequence, hash)) \
     INSERT INTO vaultstream.event (position, hlc, sequence, shard, stream, previous, hash, envelope, payload) \
     SELECT e.position, e.position, e.sequence, e.shard, e.stream, NULL, e.hash, e.envelope, e.payload \
     FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::text[], $6::bytea[], $5::bytea[], $7::bytea[]) \
     AS e(position, shard, sequence, stream, hash, envelope, payload)";

/// Position, shard, sequence and stream of each event.
type Keys = (Vec<i64>, Vec<i32>, Vec<i64>, Vec<String>);
type Columns<'a> = Vec<&'a [u8]>;

/// Inserts the events of single-event commands on new streams into an empty log, `per_statement` at a time, and gives
/// the time it took.
pub async fn insert(
    database: &Database,
    commands: &[AppendCommand],
    per_statement: usize,
) -> Result<Duration, LogError> {
    let started = Instant::now();
    let mut positions = std::collections::HashMap::new();
    for chunk in commands.chunks(per_statement.max(1)) {
        let events = chunk
            .iter()
            .flat_map(|c| c.streams.iter().flat_map(|part| &part.events));
        let mut columns: Keys = Default::default();
        let mut bytes: (Columns<'_>, Columns<'_>, Columns<'_>) = Default::default();
        for event in events {
            let envelope = &event.envelope;
            let position = positions.entry(envelope.shard).or_insert(0i64);
            *position += 1;
            columns.0.push(*position);
            columns.1.push(envelope.shard.0.into());
            columns.2.push(envelope.sequence.cast_signed());
            columns.3.push(envelope.stream.to_string());
            bytes.0.push(&event.envelope_bytes);
            bytes.1.push(&event.hash);
            bytes.2.push(&event.payload);
        }
        sqlx::query(INSERT)
            .bind(columns.0)
            .bind(columns.1)
            .bind(columns.2)
            .bind(columns.3)
            .bind(bytes.0)
            .bind(bytes.1)
            .bind(bytes.2)
            .execute(database.append())
            .await
            .map_err(failed("insert"))?;
    }
    Ok(started.elapsed())
}
