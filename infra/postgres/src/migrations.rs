//! The steps of the schema: forward only, numbered from 1, each in a transaction of its own, under a lock that makes
//! processes that start together take turns.
//!
//! A released step is never changed: its checksum is stored and compared. Each step records its floor: the oldest schema
//! whose builds can still work beside it, so that a process of the build before starts again while an upgrade rolls.
//! Refuses: a schema with a step whose floor is above this build, a step that differs, an older schema when the process
//! may not change it.

use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, PgConnection};

use crate::database::Migrate;
use crate::error::{OpenError, opening};

/// A step of the schema.
struct Step {
    name: &'static str,
    sql: &'static str,
    /// The newest step a build must know to work beside this one; its own number when older builds must not.
    floor: i32,
}

const fn step(name: &'static str, sql: &'static str, floor: i32) -> Step {
    Step { name, sql, floor }
}

/// The steps, in order.
const STEPS: &[Step] = &[
    step("log", include_str!("migrations/0001_log.sql"), 1),
    step("append", include_str!("migrations/0002_append.sql"), 2),
    step("stock", include_str!("migrations/0003_stock.sql"), 2),
    // Builds before it announce nothing and would be passed over.
    step("versions", include_str!("migrations/0004_versions.sql"), 4),
];
/// What stands in the schema: number, checksum and floor. Steps of builds that recorded no floor have their own number.
const DONE: &str = "SELECT number, checksum, coalesce((to_jsonb(m) ->> 'floor')::integer, number) \
     FROM vaultstream.migration m ORDER BY number";
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
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('vaultstream.migration') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(&reading)?;
    let done: Vec<(i32, Vec<u8>, i32)> = if exists {
        sqlx::query_as(DONE)
            .fetch_all(&mut *connection)
            .await
            .map_err(&reading)?
    } else {
        Vec::new()
    };
    judge(database, &done, migrate)?;
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
    if done.len() < STEPS.len() {
        (&mut *connection)
            .execute("ALTER TABLE vaultstream.migration ADD COLUMN IF NOT EXISTS floor integer")
            .await
            .map_err(&writing)?;
    }
    for (index, Step { name, sql, floor }) in STEPS.iter().enumerate().skip(done.len()) {
        let mut transaction = connection.begin().await.map_err(&writing)?;
        (&mut *transaction).execute(*sql).await.map_err(&writing)?;
        sqlx::query(
            "INSERT INTO vaultstream.migration (number, name, checksum, floor) VALUES ($1, $2, $3, $4)",
        )
        .bind(number(index + 1))
        .bind(*name)
        .bind(&Sha256::digest(sql)[..])
        .bind(floor)
        .execute(&mut *transaction)
        .await
        .map_err(&writing)?;
        transaction.commit().await.map_err(&writing)?;
        tracing::info!(database, step = index + 1, name, "the schema took a step");
    }
    Ok(())
}

/// Refuses what this build cannot work with.
fn judge(database: &str, done: &[(i32, Vec<u8>, i32)], migrate: Migrate) -> Result<(), OpenError> {
    let (known, database) = (number(STEPS.len()), database.to_owned());
    let found = done.last().map_or(0, |(number, ..)| *number);
    let ahead = done.iter().filter(|(number, ..)| *number > known);
    let floor = ahead.map(|(.., floor)| *floor).max().unwrap_or(0);
    if floor > known {
        return Err(OpenError::Newer {
            database,
            found,
            floor,
            known,
        });
    }
    for ((step, checksum, _), Step { sql, .. }) in done.iter().zip(STEPS) {
        if checksum[..] != Sha256::digest(sql)[..] {
            let step = *step;
            return Err(OpenError::Changed { database, step });
        }
    }
    if found < known && migrate == Migrate::Refuse {
        return Err(OpenError::Older {
            database,
            found,
            known,
        });
    }
    if found > known {
        tracing::info!(
            database,
            found,
            known,
            floor,
            "the schema is newer and can be worked with"
        );
    }
    Ok(())
}

fn number(step: usize) -> i32 {
    i32::try_from(step).unwrap_or(i32::MAX)
}
