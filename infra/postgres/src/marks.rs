//! Marks in the database of the checkpoints, which is not the log's.
//!
//! A trigger refuses every change, and the removal of the newest; older ones may be removed by hand. Appends take turns
//! under the primary key: of two with one number one is refused.

use async_trait::async_trait;
use sqlx::{Executor, PgPool};
use vaultstream_domain::ports::Marks;
use vaultstream_domain::ports::marks::{KeptMark, MAX_MARKS_READ, MarksError};
use vaultstream_event_schemas::mark::Mark;
use vaultstream_event_schemas::note::Note;

use crate::checkpoints::NAME;
use crate::database::Migrate;
use crate::error::{OpenError, opening};

const TABLES: &str = include_str!("marks/tables.sql");
const APPEND: &str = "INSERT INTO vaultstream_checkpoints.mark (number, note) \
     SELECT $1, $2 WHERE $1 = coalesce((SELECT max(number) FROM vaultstream_checkpoints.mark), 0) + 1 \
     ON CONFLICT DO NOTHING";
const NEWEST: &str = "SELECT number, note FROM vaultstream_checkpoints.mark ORDER BY number DESC LIMIT 1";
const READ: &str =
    "SELECT number, note FROM vaultstream_checkpoints.mark WHERE number > $1 ORDER BY number LIMIT $2";

/// The list of one installation.
#[derive(Debug, Clone)]
pub struct PgMarks {
    pool: PgPool,
}

impl PgMarks {
    /// Checks the table in the database of the checkpoints; makes it where this process may.
    pub(crate) async fn open(pool: PgPool, migrate: Migrate) -> Result<Self, OpenError> {
        let reading = opening(NAME, "read");
        let exists: bool =
            sqlx::query_scalar("SELECT to_regclass('vaultstream_checkpoints.mark') IS NOT NULL")
                .fetch_one(&pool)
                .await
                .map_err(&reading)?;
        if !exists {
            if migrate == Migrate::Refuse {
                return Err(OpenError::Older {
                    database: NAME.to_owned(),
                    found: 1,
                    known: 2,
                });
            }
            let writing = opening(NAME, "brought to the current schema");
            let mut transaction = pool.begin().await.map_err(&writing)?;
            (&mut *transaction).execute(TABLES).await.map_err(&writing)?;
            transaction.commit().await.map_err(&writing)?;
        }
        Ok(Self { pool })
    }
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> MarksError {
    move |source| MarksError::Store {
        doing,
        source: Box::new(source),
    }
}

fn kept((number, note): (i64, String)) -> KeptMark {
    KeptMark {
        number: number.cast_unsigned(),
        note,
    }
}

fn is_whole(mark: &KeptMark) -> bool {
    let note = Note::parse(&mark.note).ok();
    let read = note.and_then(|note| note.text().parse::<Mark>().ok());
    read.is_some_and(|read| read.number == mark.number)
}

#[async_trait]
impl Marks for PgMarks {
    async fn append(&self, mark: &KeptMark) -> Result<(), MarksError> {
        let number = mark.number;
        let malformed = || MarksError::Malformed { number };
        let stored = i64::try_from(number).map_err(|_| malformed())?;
        // A wrong number is told before a wrong note; the whole of the way is one statement otherwise.
        if is_whole(mark) {
            let written = sqlx::query(APPEND)
                .bind(stored)
                .bind(&mark.note)
                .execute(&self.pool)
                .await
                .map_err(failed("kept"))?;
            if written.rows_affected() == 1 {
                return Ok(());
            }
        }
        // Somebody else was first; or it was this very mark, sent before.
        match self.newest().await? {
            Some(newest) if newest == *mark => Ok(()),
            newest => {
                let newest = newest.map_or(0, |kept| kept.number);
                if number == newest + 1 {
                    return Err(malformed());
                }
                Err(MarksError::Number { number, newest })
            }
        }
    }

    async fn newest(&self) -> Result<Option<KeptMark>, MarksError> {
        let row = sqlx::query_as(NEWEST).fetch_optional(&self.pool).await;
        Ok(row.map_err(failed("read"))?.map(kept))
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptMark>, MarksError> {
        let rows = sqlx::query_as(READ)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit.min(MAX_MARKS_READ)).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read"))?;
        Ok(rows.into_iter().map(kept).collect())
    }
}
