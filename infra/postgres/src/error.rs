//! What can go wrong at start, each with its remedy, and how errors of the engine become errors of the port.
//!
//! Messages name a database by its configured name; its address may hold a password and is never shown.

use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::placement::RegistryError;

/// Why the databases are not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration contradicts itself.
    #[error("{field}: {fault}")]
    Configuration {
        /// The field at fault.
        field: String,
        /// What is wrong and what to write instead.
        fault: String,
    },
    /// Nobody answers.
    #[error(
        "database {database} cannot be reached; check that it runs and that its url names its host and port"
    )]
    Unreachable {
        /// Its configured name.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The server does not let us in.
    #[error("database {database} refuses the user or the password; check the secret that its url refers to")]
    Credentials {
        /// Its configured name.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The server has no such database.
    #[error("database {database} does not exist on its server; create it, or correct the name in its url")]
    Missing {
        /// Its configured name.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The user may not do what a start needs.
    #[error(
        "the user of database {database} may not make or use the schema `vaultstream`; grant it CREATE on the database"
    )]
    Privileges {
        /// Its configured name.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The server is too old.
    #[error(
        "database {database} runs PostgreSQL {found}; version {needed} or newer is needed: upgrade the server"
    )]
    Version {
        /// Its configured name.
        database: String,
        /// The server's version.
        found: String,
        /// The oldest major version that will do.
        needed: u32,
    },
    /// The clocks disagree.
    #[error(
        "the clock of database {database} is {seconds} s {direction} this process; synchronise both machines (NTP), \
         then start again"
    )]
    Clock {
        /// Its configured name.
        database: String,
        /// By how much.
        seconds: u64,
        /// `ahead of` or `behind`.
        direction: &'static str,
    },
    /// Another installation lives there.
    #[error(
        "database {database} belongs to cluster `{found}` and this process to `{wanted}`; give each cluster databases \
         of its own, or correct `cluster`"
    )]
    OtherCluster {
        /// Its configured name.
        database: String,
        /// Whose it is.
        found: String,
        /// Who asks.
        wanted: String,
    },
    /// A newer build has changed the schema in a way this one cannot work with.
    #[error(
        "database {database} has schema {found}, which needs a build that knows schema {floor} at least, and this build \
         knows {known}; run the newer build that wrote it"
    )]
    Newer {
        /// Its configured name.
        database: String,
        /// Its schema.
        found: i32,
        /// The oldest schema whose builds can work with it.
        floor: i32,
        /// The newest schema of this build.
        known: i32,
    },
    /// The schema is older and this process is not to change it.
    #[error(
        "database {database} has schema {found} and this build needs {known}; run the role `migrate` of this build first"
    )]
    Older {
        /// Its configured name.
        database: String,
        /// Its schema.
        found: i32,
        /// The schema this build needs.
        known: i32,
    },
    /// A step of the schema is not the one this build knows.
    #[error(
        "step {step} of the schema of database {database} differs from this build's; it was made by an unreleased \
         build: use a database of its own for that, or restore this one"
    )]
    Changed {
        /// Its configured name.
        database: String,
        /// The number of the step.
        step: i32,
    },
    /// The configured shards do not agree with the stored ones.
    #[error("the configured shards do not fit the log")]
    Registry(#[source] RegistryError),
    /// The stored registry cannot be read.
    #[error("the registry of shards in database {database} cannot be read: {fault}")]
    RegistryDamaged {
        /// Its configured name.
        database: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A shard is configured elsewhere than it is kept.
    #[error(
        "shard {shard} is kept in database {kept} and configured for {configured}; a shard is moved by export and \
         import, never by configuration: configure it where it is"
    )]
    Moved {
        /// The shard.
        shard: ShardNumber,
        /// Where its events are.
        kept: String,
        /// Where the configuration looks for them.
        configured: String,
    },
    /// The engine failed.
    #[error("database {database} cannot be {doing}")]
    Engine {
        /// Its configured name.
        database: String,
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

/// The SQLSTATE of an error, when the server gave one.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let database = error.as_database_error()?;
    database.code().map(std::borrow::Cow::into_owned)
}

/// Whether the connection, not the statement, is at fault: a fresh connection may do better.
pub(crate) fn is_disconnected(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolClosed => true,
        // 08: connection; 57P01, 57P02, 57P03: the server ends, crashed, or starts.
        _ => sqlstate(error).is_some_and(|code| code.starts_with("08") || code.starts_with("57P0")),
    }
}

/// An error at start, sorted by what helps.
pub(crate) fn opening(database: &str, doing: &'static str) -> impl Fn(sqlx::Error) -> OpenError {
    move |source| {
        let database = database.to_owned();
        match sqlstate(&source).as_deref() {
            Some("28P01" | "28000") => OpenError::Credentials { database, source },
            Some("3D000") => OpenError::Missing { database, source },
            Some("42501") => OpenError::Privileges { database, source },
            None if matches!(
                source,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_)
            ) =>
            {
                OpenError::Unreachable { database, source }
            }
            _ => OpenError::Engine {
                database,
                doing,
                source,
            },
        }
    }
}

/// An error of a running log.
pub(crate) fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> LogError {
    move |source| LogError::Engine {
        doing,
        source: Box::new(source),
    }
}
