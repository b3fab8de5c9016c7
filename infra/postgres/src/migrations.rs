//! The steps of the schema: forward only, numbered from 1, each in a transaction of its own, under a lock that makes
//! processes that start together take turns.
//!
//! A released step is never changed: its checksum is stored and compared. Refuses: a schema with more steps than this
//! build has, a step that differs, an older schema when the process may not change it.

use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, PgConnection};

use crate::database::Migrate;
use crate::error::{OpenError, opening};

/// The steps, in order.
const STEPS: &[(&str, &str)] = &[
    ("log", include_str!("migrations/0001_log.sql")),
    ("append", include_str!("migrations/0002_append.sql")),
    ("stock", include_str!("migrations/0003_stock.sql")),
];
/// The advisory lock of a start: `VSlg` and a number of its own.
const LOCK: &str = "SELECT pg_advisory_lock(1448307559, 1)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(1448307559, 1)";

/// Takes the lock of a start; it ends with the connection at the latest.
pub(crate) async fn lock(database: &str, connection: &mut PgConnection) -> Result<(), OpenError> {
    sqlx::query(LOCK)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(opening(database, "locked for a start"))
}

/// Gives the lock of a start back.
pub(crate) async fn unlock(database: &str, connection: &mut PgConnection) -> Result<(), OpenError> {
    sqlx::query(UNLOCK)
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(opening(database, "unlocked after a start"))
}

/// Brings the schema to the newest step, or sees that it is there. The caller holds the lock.
pub(crate) async fn run(
    database: &str,
    connection: &mut PgConnection,
    migrate: Migrate,
) -> Result<(), OpenError> {
    let reading = opening(database, "read");
    let known = number(STEPS.len());
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('vaultstream.migration') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(&reading)?;
    let done: Vec<(i32, Vec<u8>)> = if exists {
        sqlx::query_as("SELECT number, checksum FROM vaultstream.migration ORDER BY number")
            .fetch_all(&mut *connection)
            .await
            .map_err(&reading)?
    } else {
        Vec::new()
    };
    let found = done.last().map_or(0, |(number, _)| *number);
    if found > known {
        return Err(OpenError::Newer {
            database: database.to_owned(),
            found,
            known,
        });
    }
    for ((step, checksum), (_, sql)) in done.iter().zip(STEPS) {
        if checksum[..] != Sha256::digest(sql)[..] {
            return Err(OpenError::Changed {
                database: database.to_owned(),
                step: *step,
            });
        }
    }
    if found < known && migrate == Migrate::Refuse {
        return Err(OpenError::Older {
            database: database.to_owned(),
            found,
            known,
        });
    }
    let writing = opening(database, "brought to the current schema");
    if !exists {
        (&mut *connection)
            .execute(
                "CREATE SCHEMA IF NOT EXISTS vaultstream; \
             CREATE TABLE vaultstream.migration (number integer PRIMARY KEY, name text NOT NULL, \
             checksum bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
            )
            .await
            .map_err(&writing)?;
    }
    for (index, (name, sql)) in STEPS.iter().enumerate().skip(done.len()) {
        let mut transaction = connection.begin().await.map_err(&writing)?;
        (&mut *transaction).execute(*sql).await.map_err(&writing)?;
        sqlx::query("INSERT INTO vaultstream.migration (number, name, checksum) VALUES ($1, $2, $3)")
            .bind(number(index + 1))
            .bind(*name)
            .bind(&Sha256::digest(sql)[..])
            .execute(&mut *transaction)
            .await
            .map_err(&writing)?;
        transaction.commit().await.map_err(&writing)?;
        tracing::info!(database, step = index + 1, name, "the schema took a step");
    }
    Ok(())
}

fn number(step: usize) -> i32 {
    i32::try_from(step).unwrap_or(i32::MAX)
}
