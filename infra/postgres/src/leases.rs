//! Leases in the first database, by its clock, so that processes need not agree on the time.
//!
//! Invariant: a lease changes hands in one statement that sees the row it changes. Refuses: names and holders that are
//! empty or over 128 characters, times of nothing or over [`MAX_LEASE`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::Leases;
use vaultstream_domain::ports::leases::{LeaseError, MAX_HELD, MAX_LEASE};

use crate::database::Database;

const ACQUIRE: &str = "INSERT INTO vaultstream.lease AS l (name, holder, until) \
     VALUES ($1, $2, clock_timestamp() + $3 * interval '1 microsecond') \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
     WHERE l.holder = excluded.holder OR l.until <= clock_timestamp()";
const RELEASE: &str = "DELETE FROM vaultstream.lease WHERE name = $1 AND holder = $2";
const HELD: &str = "SELECT name FROM vaultstream.lease WHERE starts_with(name, $1) AND until > clock_timestamp() \
     ORDER BY name COLLATE \"C\" LIMIT $2";
const MAX_NAME: usize = 128;

/// The leases of one installation.
#[derive(Debug, Clone)]
pub struct PgLeases {
    database: Arc<Database>,
}

impl PgLeases {
    /// The leases kept in a database.
    pub const fn new(database: Arc<Database>) -> Self {
        Self { database }
    }
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> LeaseError {
    move |source| LeaseError {
        doing,
        source: Box::new(source),
    }
}

fn check(doing: &'static str, name: &str, holder: &str) -> Result<(), LeaseError> {
    for (field, text) in [("name", name), ("holder", holder)] {
        if text.is_empty() || text.chars().count() > MAX_NAME {
            let source = format!("{field}: choose 1 to {MAX_NAME} characters").into();
            return Err(LeaseError { doing, source });
        }
    }
    Ok(())
}

#[async_trait]
impl Leases for PgLeases {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, LeaseError> {
        check("acquired", name, holder)?;
        if ttl.is_zero() || ttl > MAX_LEASE {
            let source = format!("ttl: choose above 0 and at most {} s", MAX_LEASE.as_secs()).into();
            return Err(LeaseError {
                doing: "acquired",
                source,
            });
        }
        let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let done = sqlx::query(ACQUIRE)
            .bind(name)
            .bind(holder)
            .bind(micros)
            .execute(self.database.append())
            .await
            .map_err(failed("acquired"))?;
        Ok(done.rows_affected() == 1)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        check("released", name, holder)?;
        sqlx::query(RELEASE)
            .bind(name)
            .bind(holder)
            .execute(self.database.append())
            .await
            .map(|_| ())
            .map_err(failed("released"))
    }

    async fn held(&self, prefix: &str) -> Result<Vec<String>, LeaseError> {
        sqlx::query_scalar(HELD)
            .bind(prefix)
            .bind(i64::try_from(MAX_HELD).unwrap_or(i64::MAX))
            .fetch_all(self.database.append())
            .await
            .map_err(failed("listed"))
    }
}
