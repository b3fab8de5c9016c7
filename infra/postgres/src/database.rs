//! One database: its connections and what is asked of it before it is used.
//!
//! Connections come in two kinds. Those that append are durable, give up waiting for a lock, and plan their few
//! statements once, by index; those that read cannot write. Both end a transaction that somebody forgot. Refuses:
//! servers before version 15, clocks more than a minute apart, other clusters' databases, newer schemas.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use vaultstream_domain::ports::Clock;
use vaultstream_event_schemas::StreamKind;
use vaultstream_event_schemas::clock::MAX_AHEAD_US;

use crate::error::{OpenError, is_disconnected, opening};
use crate::guarded::Guarded;
use crate::migrations;
use crate::options::DatabaseConfig;

/// The oldest major version that will do.
const OLDEST: u32 = 15;
/// How long a start waits for another process's start.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a caller waits for a free connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer than the server gives a statement its answer is waited for.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// How long a read may say nothing: rows come one after another, and the first one comes by index.
const READ_SILENCE: Duration = Duration::from_secs(10);
/// Tries of one read: a restart of the server leaves dead connections behind, and a read may be repeated.
const READ_TRIES: u32 = 4;

/// Whether a start may change the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrate {
    /// Bring it to this build's.
    #[default]
    Apply,
    /// Refuse an older one: a job of its own changes it.
    Refuse,
}

/// What all databases of an installation have in common.
#[derive(Clone)]
pub struct Installation {
    /// Its name.
    pub cluster: String,
    /// The clock of this process.
    pub clock: Arc<dyn Clock>,
    /// Whether schemas may be changed.
    pub migrate: Migrate,
    /// Positions of a segment, for a database that is used for the first time.
    pub segment: u64,
}

/// A database that was checked and may be used.
#[derive(Debug)]
pub struct Database {
    name: String,
    append: Guarded,
    read: Guarded,
}

impl Database {
    /// Connects, checks and brings the schema up to date. Processes that start together take turns.
    pub async fn open(config: &DatabaseConfig, installation: &Installation) -> Result<Self, OpenError> {
        let (name, address) = (config.name.as_str(), address(config)?);
        let starting = session(&address, "start", START_TIMEOUT, &[]);
        let mut connection = starting.connect().await.map_err(opening(name, "opened"))?;
        version(name, &mut connection).await?;
        clocks(name, &mut connection, &*installation.clock).await?;
        migrations::lock(name, &mut connection).await?;
        migrations::run(name, &mut connection, installation.migrate).await?;
        identify(name, &mut connection, installation).await?;
        durable(name, &mut connection).await?;
        migrations::unlock(name, &mut connection).await?;
        // The checks are done; how this connection ends is of no interest.
        drop(connection.close().await);
        Ok(Self {
            name: config.name.clone(),
            append: pool(
                session(&address, "append", config.append_timeout, APPEND),
                config.append_connections,
                config.append_timeout + GRACE,
            ),
            read: pool(
                session(&address, "read", config.read_timeout, READ),
                config.read_connections,
                config.read_timeout.min(READ_SILENCE),
            ),
        })
    }

    /// Its configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connections that write.
    pub(crate) const fn append(&self) -> &Guarded {
        &self.append
    }

    /// Connections that cannot write.
    pub(crate) const fn read(&self) -> &Guarded {
        &self.read
    }

    /// Runs a read, again on a fresh connection when the one it had was dead.
    pub(crate) async fn reading<T, F>(
        &self,
        mut read: impl FnMut(Guarded) -> F + Send,
    ) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        let mut tries = 1;
        loop {
            match read(self.read.clone()).await {
                Err(error) if is_disconnected(&error) && tries < READ_TRIES => {
                    tracing::warn!(database = self.name, tries, error = %error, "a read lost its connection");
                    tokio::time::sleep(Duration::from_millis(50) * tries * tries).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    /// The settings in force in a session of each role, for operators: role, setting, value.
    pub async fn limits(&self) -> Result<Vec<(&'static str, String, String)>, OpenError> {
        let mut limits = Vec::new();
        for (role, pool) in [("append", &self.append), ("read", &self.read)] {
            let settings: Vec<(String, String)> = sqlx::query_as(LIMITS)
                .fetch_all(pool)
                .await
                .map_err(opening(&self.name, "asked for its settings"))?;
            limits.extend(settings.into_iter().map(|(name, value)| (role, name, value)));
        }
        Ok(limits)
    }

    /// Closes its connections after what runs on them.
    pub async fn close(&self) {
        self.append.close().await;
        self.read.close().await;
    }
}

const LIMITS: &str = "SELECT name, current_setting(name) FROM unnest(ARRAY['statement_timeout', 'lock_timeout', \
     'idle_in_transaction_session_timeout', 'synchronous_commit', 'default_transaction_read_only']) AS s(name)";
/// Settings of connections that append: a commit is durable when it returns, and every statement goes by index, however
/// small or unknown a table is while its plan is made.
const APPEND: &[(&str, &str)] = &[
    ("synchronous_commit", "on"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A table of few living rows would be read whole once and kept, dead versions and all, instead of asked by key.
    ("enable_material", "off"),
    ("jit", "off"),
];
/// Settings of connections that read.
const READ: &[(&str, &str)] = &[
    ("default_transaction_read_only", "on"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("jit", "off"),
];

fn address(config: &DatabaseConfig) -> Result<PgConnectOptions, OpenError> {
    PgConnectOptions::from_str(&config.url).map_err(|_| OpenError::Configuration {
        // The text of the error would repeat parts of the url.
        field: format!("database {}: url", config.name),
        fault: "it cannot be read; write postgres://user:password@host:port/database".into(),
    })
}

/// A session of one role: nothing in it lasts longer than `limit`; a lock is waited for half as long at most.
fn session(
    address: &PgConnectOptions,
    role: &str,
    limit: Duration,
    settings: &[(&'static str, &'static str)],
) -> PgConnectOptions {
    let limit_ms = limit.as_millis();
    let limits = [
        ("statement_timeout", limit_ms),
        ("lock_timeout", limit_ms / 2),
        ("idle_in_transaction_session_timeout", limit_ms),
    ];
    address
        .clone()
        .application_name(&format!("vaultstream-{role}"))
        .options(limits.map(|(name, ms)| (name, format!("{ms}ms"))))
        .options(settings.iter().copied())
        .disable_statement_logging()
}

fn pool(options: PgConnectOptions, connections: u32, silence: Duration) -> Guarded {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A round trip before every statement would double the time of a small batch; a dead connection shows itself.
        .test_before_acquire(false);
    Guarded::new(pool, options, silence)
}

async fn version(database: &str, connection: &mut PgConnection) -> Result<(), OpenError> {
    let (number, found): (i32, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version')",
    )
    .fetch_one(connection)
    .await
    .map_err(opening(database, "asked for its version"))?;
    if is_old(number) {
        return Err(OpenError::Version {
            database: database.to_owned(),
            found,
            needed: OLDEST,
        });
    }
    Ok(())
}

fn is_old(number: i32) -> bool {
    u32::try_from(number / 10_000).unwrap_or(0) < OLDEST
}

async fn clocks(database: &str, connection: &mut PgConnection, clock: &dyn Clock) -> Result<(), OpenError> {
    let before = clock.now().as_micros();
    let theirs: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .fetch_one(connection)
        .await
        .map_err(opening(database, "asked for its time"))?;
    let ours = before + (clock.now().as_micros() - before) / 2;
    disagreement(theirs, ours).map_or(Ok(()), |(seconds, direction)| {
        Err(OpenError::Clock {
            database: database.to_owned(),
            seconds,
            direction,
        })
    })
}

/// By how many seconds, and in which direction, when it is too much.
fn disagreement(theirs_us: i64, ours_us: i64) -> Option<(u64, &'static str)> {
    let apart = theirs_us.abs_diff(ours_us);
    let direction = if theirs_us > ours_us { "ahead of" } else { "behind" };
    (apart > MAX_AHEAD_US).then_some((apart / 1_000_000, direction))
}

/// Writes whose database this is, or reads whose it is.
async fn identify(
    database: &str,
    connection: &mut PgConnection,
    installation: &Installation,
) -> Result<(), OpenError> {
    let failed = opening(database, "identified");
    let segment = i64::try_from(installation.segment).unwrap_or(i64::MAX);
    sqlx::query("INSERT INTO vaultstream.identity (cluster, segment) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&installation.cluster)
        .bind(segment)
        .execute(&mut *connection)
        .await
        .map_err(&failed)?;
    let found: String = sqlx::query_scalar("SELECT cluster FROM vaultstream.identity")
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    if found != installation.cluster {
        let wanted = installation.cluster.clone();
        return Err(OpenError::OtherCluster {
            database: database.to_owned(),
            found,
            wanted,
        });
    }
    let (prefixes, words): (Vec<_>, Vec<_>) = StreamKind::ALL
        .iter()
        .map(|kind| (kind.prefix(), kind.word()))
        .unzip();
    sqlx::query(
        "INSERT INTO vaultstream.stream_kind (prefix, word) SELECT * FROM unnest($1::text[], $2::text[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(prefixes)
    .bind(words)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(failed)
}

/// Says aloud when the server is set to forget what it has acknowledged.
async fn durable(database: &str, connection: &mut PgConnection) -> Result<(), OpenError> {
    let (fsync, pages): (String, String) =
        sqlx::query_as("SELECT current_setting('fsync'), current_setting('full_page_writes')")
            .fetch_one(connection)
            .await
            .map_err(opening(database, "asked for its settings"))?;
    if fsync != "on" || pages != "on" {
        tracing::warn!(
            database,
            fsync,
            full_page_writes = pages,
            "a power cut would lose acknowledged events"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_fifteen_should_be_old() {
        assert!(is_old(140_012) && is_old(90_624) && is_old(-1));
        assert!(!is_old(150_000) && !is_old(180_001));
    }

    #[test]
    fn clocks_should_disagree_beyond_a_minute_only() {
        let minute = 60_000_000;
        assert_eq!(disagreement(minute, 0), None);
        assert_eq!(disagreement(minute + 1, 0), Some((60, "ahead of")));
        assert_eq!(disagreement(0, 60 * minute), Some((3_600, "behind")));
    }

    #[test]
    fn unreadable_url_should_be_refused_without_being_repeated() {
        let config = DatabaseConfig::new("a", "postgres://user:hunter2@[broken");
        let said = address(&config).expect_err("no url").to_string();
        assert!(
            said.contains("database a: url") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
