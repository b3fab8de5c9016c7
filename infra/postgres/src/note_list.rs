//! Lists of signed notes in a database of their own, which is not the log's: a table a list.
//!
//! Triggers refuse every change, the removal of a checkpoint and of the newest mark, so who wants to rewrite a list has to
//! own the database, and leaves a gap in what auditors kept. Appends take turns under the primary key: of two with one
//! number one is refused. Refuses at start: a database that keeps a log, another installation's, one without the tables
//! when only `migrate` may make them.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use vaultstream_domain::ports::NoteList;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind, NoteListError};

use crate::database::{ACQUIRE_TIMEOUT, GRACE, Migrate};
use crate::error::{OpenError, opening};
use crate::guarded::Guarded;

/// What the database is called in messages.
const NAME: &str = "checkpoints";
/// How long one statement may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections of a process: one seals, one marks, one reads.
const CONNECTIONS: u32 = 3;

/// Where the notes of a kind stand: the table, what makes it, and the schema that has it.
const fn table(kind: NoteKind) -> (&'static str, &'static str, i32) {
    match kind {
        NoteKind::Checkpoint => (
            "vaultstream_checkpoints.checkpoint",
            include_str!("note_list/checkpoint.sql"),
            1,
        ),
        NoteKind::Mark => (
            "vaultstream_checkpoints.mark",
            include_str!("note_list/mark.sql"),
            2,
        ),
    }
}

/// A list of one installation. Clones share its connections.
#[derive(Debug, Clone)]
pub struct PgNoteList {
    kind: NoteKind,
    pool: Guarded,
}

impl PgNoteList {
    /// Connects, checks, and opens the list of checkpoints; makes the tables where this process may.
    pub async fn open(url: &str, cluster: &str, migrate: Migrate) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| OpenError::Configuration {
            // The text of the error would repeat parts of the url.
            field: "postgres.checkpoints: url".into(),
            fault: "it cannot be read; write postgres://user:password@host:port/database".into(),
        })?;
        let patience = format!("{}ms", PATIENCE.as_millis());
        let options = options
            .application_name("vaultstream-checkpoints")
            .options([
                ("statement_timeout", patience.as_str()),
                ("synchronous_commit", "on"),
            ])
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(opening(NAME, "opened"))?;
        apart(&mut connection).await?;
        prepare(NoteKind::Checkpoint, Some(cluster), &mut connection, migrate).await?;
        belongs(&mut connection, cluster).await?;
        // The checks are done; how this connection ends is of no interest.
        drop(connection.close().await);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT);
        Ok(Self {
            kind: NoteKind::Checkpoint,
            pool: Guarded::new(pool, options, PATIENCE + GRACE),
        })
    }

    /// The list of marks in the same database; makes its table where this process may.
    pub async fn marks(&self, migrate: Migrate) -> Result<Self, OpenError> {
        let mut connection = self.pool.acquire().await.map_err(opening(NAME, "read"))?;
        prepare(NoteKind::Mark, None, &mut connection, migrate).await?;
        Ok(Self {
            kind: NoteKind::Mark,
            pool: self.pool.clone(),
        })
    }

    /// Closes its connections after what runs on them.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Refuses a database with a log in it.
async fn apart(connection: &mut PgConnection) -> Result<(), OpenError> {
    if !has(connection, "vaultstream.event").await? {
        return Ok(());
    }
    Err(OpenError::Configuration {
        field: "postgres.checkpoints: url".into(),
        fault:
            "this database keeps an event log, and who cuts a log could cut its checkpoints with it; give \
                checkpoints a database of their own, best on another server"
                .into(),
    })
}

async fn has(connection: &mut PgConnection, table: &str) -> Result<bool, OpenError> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(connection)
        .await
        .map_err(opening(NAME, "read"))
}

/// Makes the table of a list where there is none and this process may; with the first one, whose database this is.
async fn prepare(
    kind: NoteKind,
    owner: Option<&str>,
    connection: &mut PgConnection,
    migrate: Migrate,
) -> Result<(), OpenError> {
    let (table, tables, schema) = table(kind);
    if has(connection, table).await? {
        return Ok(());
    }
    if migrate == Migrate::Refuse {
        return Err(OpenError::Older {
            database: NAME.to_owned(),
            found: schema - 1,
            known: schema,
        });
    }
    let writing = opening(NAME, "brought to the current schema");
    let mut transaction = connection.begin().await.map_err(&writing)?;
    (&mut *transaction).execute(tables).await.map_err(&writing)?;
    if let Some(cluster) = owner {
        let owner =
            "INSERT INTO vaultstream_checkpoints.identity (cluster) VALUES ($1) ON CONFLICT DO NOTHING";
        let written = sqlx::query(owner).bind(cluster).execute(&mut *transaction).await;
        written.map_err(&writing)?;
    }
    transaction.commit().await.map_err(&writing)
}

/// Refuses another installation's database.
async fn belongs(connection: &mut PgConnection, cluster: &str) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT cluster FROM vaultstream_checkpoints.identity")
        .fetch_one(connection)
        .await
        .map_err(opening(NAME, "read"))?;
    if found == cluster {
        return Ok(());
    }
    Err(OpenError::OtherCluster {
        database: NAME.to_owned(),
        found,
        wanted: cluster.to_owned(),
    })
}

fn kept((number, note): (i64, String)) -> KeptNote {
    KeptNote {
        number: number.cast_unsigned(),
        note,
    }
}

#[async_trait]
impl NoteList for PgNoteList {
    async fn append(&self, note: &KeptNote) -> Result<(), NoteListError> {
        let (kind, number) = (self.kind, note.number);
        let stored = i64::try_from(number).map_err(|_| NoteListError::Malformed { kind, number })?;
        if kind.number_of(&note.note) == Some(number) {
            let (table, ..) = table(kind);
            let append = format!(
                "INSERT INTO {table} (number, note) \
                 SELECT $1, $2 WHERE $1 = coalesce((SELECT max(number) FROM {table}), 0) + 1 ON CONFLICT DO NOTHING"
            );
            let written = sqlx::query(&append)
                .bind(stored)
                .bind(&note.note)
                .execute(&self.pool)
                .await
                .map_err(NoteListError::store(kind, "kept"))?;
            if written.rows_affected() == 1 {
                return Ok(());
            }
        }
        // Somebody else was first; or it was this very note, sent before; or it can never be kept.
        let newest = self.newest().await?;
        if kind.is_new(note, newest.as_ref())? {
            // The one before it came between the statement and the look.
            let newest = newest.map_or(0, |newest| newest.number);
            return Err(NoteListError::Number { kind, number, newest });
        }
        Ok(())
    }

    async fn newest(&self) -> Result<Option<KeptNote>, NoteListError> {
        let (table, ..) = table(self.kind);
        let newest = format!("SELECT number, note FROM {table} ORDER BY number DESC LIMIT 1");
        let row = sqlx::query_as(&newest).fetch_optional(&self.pool).await;
        Ok(row.map_err(NoteListError::store(self.kind, "read"))?.map(kept))
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptNote>, NoteListError> {
        let (table, ..) = table(self.kind);
        let read = format!("SELECT number, note FROM {table} WHERE number > $1 ORDER BY number LIMIT $2");
        let rows = sqlx::query_as(&read)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit.min(self.kind.page())).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(NoteListError::store(self.kind, "read"))?;
        Ok(rows.into_iter().map(kept).collect())
    }
}
