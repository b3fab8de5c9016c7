//! Why a sandbox cannot start or go on. Each message names what is wrong and what to do about it.

use std::{io, net::SocketAddr, path::PathBuf};

/// A failure of the sandbox itself, as opposed to a refusal that a JSON-RPC client gets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option has a value the sandbox does not accept.
    #[error("option {name}: {problem}")]
    Option {
        /// Which one, as in [`crate::Options`].
        name: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The sandbox has no authentication and mints money, so it never listens beyond this machine.
    #[error("refusing to listen on {0}: the sandbox listens on loopback only; use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The data directory holds another chain.
    #[error(
        "genesis of the chain in {path} differs: {differences}; start with the old values, or give another data \
         directory, or delete this one to begin a new chain"
    )]
    Genesis {
        /// The data directory.
        path: PathBuf,
        /// Each differing field with the old and the new value.
        differences: String,
    },
    /// Another process has the data directory open.
    #[error("the data directory {0} is in use by another sandbox: stop that one or give another directory")]
    InUse(PathBuf),
    /// What is on disk contradicts itself.
    #[error("the chain on disk is damaged: {0}; delete the data directory to begin a new chain")]
    Damaged(String),
    /// The database refused.
    #[error("database")]
    Database(#[from] rusqlite::Error),
    /// The operating system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Its answer.
        source: io::Error,
    },
}

impl From<rlp::DecoderError> for Error {
    fn from(error: rlp::DecoderError) -> Self {
        Self::Damaged(format!("unreadable record: {error}"))
    }
}

/// The whole chain of causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
