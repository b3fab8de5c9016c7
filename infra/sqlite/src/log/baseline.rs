//! What the log is measured against: the same rows through the same statements into the same schema, durable in the
//! same way, with nothing around them. For the bench only; it knows no conflicts and gives no answers.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use vaultstream_domain::ports::event_log::{AppendCommand, LogError};

use super::{Options, schema};
use crate::database::open_writer;

/// Inserts the events of well-formed commands on new streams, `per_transaction` commands at a time, and gives the time
/// it took, opening excluded. With 1 this is one durable transaction a command, the head look-up included.
pub fn insert(
    options: &Options,
    commands: &[AppendCommand],
    per_transaction: usize,
) -> Result<Duration, LogError> {
    let failed = |source: rusqlite::Error| LogError::Engine {
        doing: "insert",
        source: Box::new(source),
    };
    let (connection, _lock) =
        open_writer(&options.path, &schema::KIND, options.synchronous).map_err(|source| {
            LogError::Engine {
                doing: "open",
                source: Box::new(source),
            }
        })?;
    let started = Instant::now();
    let mut position = 0;
    for chunk in commands.chunks(per_transaction.max(1)) {
        transaction(&connection, chunk, &mut position).map_err(failed)?;
    }
    Ok(started.elapsed())
}

fn transaction(
    connection: &Connection,
    commands: &[AppendCommand],
    position: &mut u64,
) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    {
        let mut head = connection.prepare_cached(schema::HEAD)?;
        let mut insert = connection.prepare_cached(schema::INSERT)?;
        for command in commands {
            for part in &command.streams {
                let stream = part.stream.to_bytes();
                let known = head.exists([stream])?;
                debug_assert!(part.events.is_empty() || !known, "the bench makes new streams");
                for event in &part.events {
                    *position += 1;
                    insert.execute((
                        schema::row_id(command.shard, *position),
                        stream,
                        event.envelope.sequence.cast_signed(),
                        position.cast_signed(),
                        &event.envelope_bytes,
                        &event.payload,
                        event.previous,
                        event.hash,
                    ))?;
                }
            }
        }
    }
    transaction.commit()
}
