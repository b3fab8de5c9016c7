//! What can go wrong, and what to do about it.

use std::error::Error;

use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, PrepareError, RequestAttemptError,
};
use vaultstream_domain::ports::view_store::ViewStoreError;

/// Why a view store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is outside its bounds.
    #[error("scylla {field}: {problem}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// Nobody answers.
    #[error("scylla nodes: none of {nodes} answers; check the addresses and that CQL is reachable on them")]
    Unreachable {
        /// The addresses tried.
        nodes: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The engine wants to know who this is, or does not believe it.
    #[error(
        "scylla credentials: the engine at {nodes} refuses them; set the user and the password of a role it knows"
    )]
    Credentials {
        /// The addresses tried.
        nodes: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The role may not do what is needed.
    #[error(
        "scylla credentials: the role may not {doing}; grant it CREATE, ALTER, DROP, SELECT and MODIFY on keyspace {keyspace}"
    )]
    Forbidden {
        /// What was tried.
        doing: &'static str,
        /// Where.
        keyspace: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Too old an engine.
    #[error("the engine is version {found}; use ScyllaDB 5.2 or newer, or Apache Cassandra 4.0 or newer")]
    Version {
        /// What it says it is.
        found: String,
    },
    /// Written by a newer version of this adapter.
    #[error(
        "keyspace {keyspace} has layout version {found} and this program knows {known}; run the newer program, or use \
         another prefix and rebuild the views"
    )]
    Future {
        /// The keyspace.
        keyspace: String,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A keyspace is missing and must not be made.
    #[error("keyspace {keyspace} is missing; make it, or let this program make it (create_keyspaces)")]
    Missing {
        /// The keyspace.
        keyspace: String,
    },
    /// Anything else.
    #[error("the view store cannot {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What was asked for does not fit this store.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// An error of this adapter as the port says it.
pub(crate) fn failed(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> ViewStoreError {
    ViewStoreError {
        doing,
        source: source.into(),
    }
}

impl OpenError {
    /// What the driver says about a connection that was not made.
    pub(crate) fn of_connecting(nodes: String, error: NewSessionError) -> Self {
        let refused = is_refused(&error);
        let source = Box::new(error);
        if refused {
            Self::Credentials { nodes, source }
        } else {
            Self::Unreachable { nodes, source }
        }
    }

    /// What the engine says about a statement.
    pub(crate) fn of_statement(doing: &'static str, keyspace: &str, error: ExecutionError) -> Self {
        let forbidden = matches!(db_error(&error), Some(DbError::Unauthorized));
        let source = Box::new(error);
        if forbidden {
            let keyspace = keyspace.to_owned();
            Self::Forbidden {
                doing,
                keyspace,
                source,
            }
        } else {
            Self::Engine { doing, source }
        }
    }
}

impl OpenError {
    /// Whether a table is not there, or not yet.
    pub(crate) fn is_absent(&self) -> bool {
        let Self::Engine { source, .. } = self else {
            return false;
        };
        source.downcast_ref::<ExecutionError>().is_some_and(is_gone)
    }
}

fn is_refused(error: &NewSessionError) -> bool {
    let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
        last_connection_error: ConnectionError::ConnectionSetupRequestError(setup),
    })) = error
    else {
        return false;
    };
    matches!(
        setup.get_error(),
        ConnectionSetupRequestErrorKind::MissingAuthentication
            | ConnectionSetupRequestErrorKind::DbError(
                DbError::AuthenticationError | DbError::Unauthorized,
                _
            )
    )
}

/// What the engine itself says, if it said anything.
pub(crate) const fn db_error(error: &ExecutionError) -> Option<&DbError> {
    match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _))
        | ExecutionError::PrepareError(PrepareError::AllAttemptsFailed {
            first_attempt: RequestAttemptError::DbError(error, _),
        }) => Some(error),
        _ => None,
    }
}

/// Whether a table that was there is there no more, or one that is listed is not there yet.
pub(crate) fn is_gone(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::LastAttemptError(attempt) => is_missing(attempt),
        ExecutionError::PrepareError(error) => is_unprepared(error),
        _ => false,
    }
}

/// The same of a statement that cannot be prepared.
pub(crate) fn is_unprepared(error: &PrepareError) -> bool {
    matches!(error, PrepareError::AllAttemptsFailed { first_attempt } if is_missing(first_attempt))
}

/// Apache Cassandra has other words for a table that it lists and has not loaded.
fn is_missing(error: &RequestAttemptError) -> bool {
    match error {
        RequestAttemptError::DbError(DbError::Invalid, _) => true,
        RequestAttemptError::DbError(DbError::ServerError, said) => said.contains("Unknown CF"),
        _ => false,
    }
}
