//! The gate of event versions in the first database, by its clock.
//!
//! Invariant: an announcement is one statement, and announcements take turns. Refuses: what
//! [`check`](vaultstream_domain::ports::version_gate::check) refuses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::VersionGate;
use vaultstream_domain::ports::version_gate::{VersionGateError, check};
use vaultstream_event_schemas::Versions;

use crate::database::Database;

const ANNOUNCE: &str = "SELECT vaultstream.announce($1, $2::text::jsonb, $3)::text";
const RETIRE: &str = "DELETE FROM vaultstream.process WHERE name = $1";

/// The gate of one installation.
#[derive(Debug, Clone)]
pub struct PgVersionGate {
    database: Arc<Database>,
}

impl PgVersionGate {
    /// The gate kept in a database.
    pub const fn new(database: Arc<Database>) -> Self {
        Self { database }
    }
}

fn failed<E>(doing: &'static str) -> impl Fn(E) -> VersionGateError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| VersionGateError {
        doing,
        source: Box::new(source),
    }
}

#[async_trait]
impl VersionGate for PgVersionGate {
    async fn announce(
        &self,
        process: &str,
        reads: &Versions,
        ttl: Duration,
    ) -> Result<Versions, VersionGateError> {
        check(process, reads, ttl)?;
        let text = serde_json::to_string(reads).map_err(failed("announced"))?;
        let written: String = sqlx::query_scalar(ANNOUNCE)
            .bind(process)
            .bind(text)
            .bind(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX))
            .fetch_one(self.database.append())
            .await
            .map_err(failed("announced"))?;
        serde_json::from_str(&written).map_err(failed("read"))
    }

    async fn retire(&self, process: &str) -> Result<(), VersionGateError> {
        sqlx::query(RETIRE)
            .bind(process)
            .execute(self.database.append())
            .await
            .map(|_| ())
            .map_err(failed("retired"))
    }
}
