//! Checkpoints in a database of their own, which is not the log's.
//!
//! A trigger refuses every change and removal, so who wants to rewrite the list has to own the database, and leaves a
//! gap in what auditors kept. Appends take turns under the primary key: of two with one number one is refused. Refuses at
//! start: a database that keeps a log, another installation's, one without the tables when only `migrate` may make them.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use vaultstream_domain::ports::Checkpoints;
use vaultstream_domain::ports::checkpoints::{CheckpointsError, KeptCheckpoint, MAX_CHECKPOINTS_READ};
use vaultstream_event_schemas::Checkpoint;
use vaultstream_event_schemas::note::Note;

use crate::database::Migrate;
use crate::error::{OpenError, opening};
use crate::marks::PgMarks;

/// What the database is called in messages.
pub(crate) const NAME: &str = "checkpoints";
const TABLES: &str = include_str!("checkpoints/tables.sql");
const APPEND: &str = "INSERT INTO vaultstream_checkpoints.checkpoint (number, note) \
     SELECT $1, $2 WHERE $1 = coalesce((SELECT max(number) FROM vaultstream_checkpoints.checkpoint), 0) + 1 \
     ON CONFLICT DO NOTHING";
const NEWEST: &str =
    "SELECT number, note FROM vaultstream_checkpoints.checkpoint ORDER BY number DESC LIMIT 1";
const READ: &str =
    "SELECT number, note FROM vaultstream_checkpoints.checkpoint WHERE number > $1 ORDER BY number LIMIT $2";
/// How long one statement may take.
const PATIENCE: &str = "10s";
/// Connections of a process: one seals, one marks, one reads.
const CONNECTIONS: u32 = 3;

/// The list of one installation.
#[derive(Debug, Clone)]
pub struct PgCheckpoints {
    pool: PgPool,
}

impl PgCheckpoints {
    /// Connects and checks; makes the tables where this process may.
    pub async fn open(url: &str, cluster: &str, migrate: Migrate) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| OpenError::Configuration {
            // The text of the error would repeat parts of the url.
            field: "postgres.checkpoints: url".into(),
            fault: "it cannot be read; write postgres://user:password@host:port/database".into(),
        })?;
        let options = options
            .application_name("vaultstream-checkpoints")
            .options([("statement_timeout", PATIENCE), ("synchronous_commit", "on")])
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(opening(NAME, "opened"))?;
        apart(&mut connection).await?;
        prepare(&mut connection, cluster, migrate).await?;
        // The checks are done; how this connection ends is of no interest.
        drop(connection.close().await);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// The list of marks in the same database; makes its table where this process may.
    pub async fn marks(&self, migrate: Migrate) -> Result<PgMarks, OpenError> {
        PgMarks::open(self.pool.clone(), migrate).await
    }

    /// Closes its connections after what runs on them.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Refuses a database with a log in it.
async fn apart(connection: &mut PgConnection) -> Result<(), OpenError> {
    let keeps_a_log: bool = sqlx::query_scalar("SELECT to_regclass('vaultstream.event') IS NOT NULL")
        .fetch_one(connection)
        .await
        .map_err(opening(NAME, "read"))?;
    if keeps_a_log {
        return Err(OpenError::Configuration {
            field: "postgres.checkpoints: url".into(),
            fault: "this database keeps an event log, and who cuts a log could cut its checkpoints with it; give \
                    checkpoints a database of their own, best on another server"
                .into(),
        });
    }
    Ok(())
}

async fn prepare(connection: &mut PgConnection, cluster: &str, migrate: Migrate) -> Result<(), OpenError> {
    let reading = opening(NAME, "read");
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('vaultstream_checkpoints.checkpoint') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await
            .map_err(&reading)?;
    if !exists {
        if migrate == Migrate::Refuse {
            return Err(OpenError::Older {
                database: NAME.to_owned(),
                found: 0,
                known: 1,
            });
        }
        let writing = opening(NAME, "brought to the current schema");
        let mut transaction = connection.begin().await.map_err(&writing)?;
        (&mut *transaction).execute(TABLES).await.map_err(&writing)?;
        sqlx::query(
            "INSERT INTO vaultstream_checkpoints.identity (cluster) VALUES ($1) ON CONFLICT DO NOTHING",
        )
        .bind(cluster)
        .execute(&mut *transaction)
        .await
        .map_err(&writing)?;
        transaction.commit().await.map_err(&writing)?;
    }
    let found: String = sqlx::query_scalar("SELECT cluster FROM vaultstream_checkpoints.identity")
        .fetch_one(connection)
        .await
        .map_err(&reading)?;
    if found == cluster {
        return Ok(());
    }
    Err(OpenError::OtherCluster {
        database: NAME.to_owned(),
        found,
        wanted: cluster.to_owned(),
    })
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> CheckpointsError {
    move |source| CheckpointsError::Store {
        doing,
        source: Box::new(source),
    }
}

fn kept((number, note): (i64, String)) -> KeptCheckpoint {
    KeptCheckpoint {
        number: number.cast_unsigned(),
        note,
    }
}

fn is_whole(checkpoint: &KeptCheckpoint) -> bool {
    let note = Note::parse(&checkpoint.note).ok();
    let read = note.and_then(|note| note.text().parse::<Checkpoint>().ok());
    read.is_some_and(|read| read.number == checkpoint.number)
}

#[async_trait]
impl Checkpoints for PgCheckpoints {
    async fn append(&self, checkpoint: &KeptCheckpoint) -> Result<(), CheckpointsError> {
        let number = checkpoint.number;
        let malformed = || CheckpointsError::Malformed { number };
        let stored = i64::try_from(number).map_err(|_| malformed())?;
        let newest = self.newest().await?;
        if newest.as_ref() == Some(checkpoint) {
            return Ok(());
        }
        let newest = newest.map_or(0, |kept| kept.number);
        if number != newest + 1 {
            return Err(CheckpointsError::Number { number, newest });
        }
        if !is_whole(checkpoint) {
            return Err(malformed());
        }
        let written = sqlx::query(APPEND)
            .bind(stored)
            .bind(&checkpoint.note)
            .execute(&self.pool)
            .await
            .map_err(failed("kept"))?;
        if written.rows_affected() == 1 {
            return Ok(());
        }
        // Somebody else was first; or it was this very checkpoint, sent before.
        match self.newest().await? {
            Some(newest) if newest == *checkpoint => Ok(()),
            newest => Err(CheckpointsError::Number {
                number,
                newest: newest.map_or(0, |kept| kept.number),
            }),
        }
    }

    async fn newest(&self) -> Result<Option<KeptCheckpoint>, CheckpointsError> {
        let row = sqlx::query_as(NEWEST).fetch_optional(&self.pool).await;
        Ok(row.map_err(failed("read"))?.map(kept))
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptCheckpoint>, CheckpointsError> {
        let rows = sqlx::query_as(READ)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit.min(MAX_CHECKPOINTS_READ)).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read"))?;
        Ok(rows.into_iter().map(kept).collect())
    }
}
