//! Durable notes of consumers and chain followers, in the first database.
//!
//! A note is replaced whole and durable when `save` returns. Refuses: names over 128 characters, notes over 64 KiB.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::ports::Progress;
use vaultstream_domain::ports::progress::ProgressError;

use crate::database::Database;
use crate::guarded::Guarded;

const LOAD: &str = "SELECT value FROM vaultstream.note WHERE name = $1";
const SAVE: &str = "INSERT INTO vaultstream.note (name, value) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const MAX_NAME: usize = 128;
const MAX_NOTE: usize = 64 << 10;

/// The notes of one installation.
#[derive(Debug, Clone)]
pub struct PgProgress {
    database: Arc<Database>,
}

impl PgProgress {
    /// The notes kept in a database.
    pub const fn new(database: Arc<Database>) -> Self {
        Self { database }
    }
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> ProgressError {
    move |source| ProgressError {
        doing,
        source: Box::new(source),
    }
}

#[async_trait]
impl Progress for PgProgress {
    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, ProgressError> {
        let read =
            |pool: Guarded| async move { sqlx::query_scalar(LOAD).bind(name).fetch_optional(&pool).await };
        self.database.reading(read).await.map_err(failed("read"))
    }

    async fn save(&self, name: &str, note: &[u8]) -> Result<(), ProgressError> {
        if name.is_empty() || name.chars().count() > MAX_NAME || note.len() > MAX_NOTE {
            let source =
                format!("a note has a name of 1 to {MAX_NAME} characters and at most {MAX_NOTE} bytes");
            return Err(ProgressError {
                doing: "kept",
                source: source.into(),
            });
        }
        sqlx::query(SAVE)
            .bind(name)
            .bind(note)
            .execute(self.database.append())
            .await
            .map(|_| ())
            .map_err(failed("kept"))
    }
}
