//! Verbs for people, over the REST API of a running installation: what an integrator can do, a person can do by hand.
//!
//! Nothing here opens a data directory, and nothing is retried on its own: a request that got no answer names the
//! Idempotency-Key to send it again with. Exit codes tell scripts what happened; see [`Ended`].

mod connection;
mod erase;
mod output;
mod replay;
mod request;
mod transfer;
mod vault;
mod views;

use std::process::ExitCode;

use clap::Subcommand;
use vaultstream_client::ClientError;

use connection::Connection;

/// What people ask for.
#[derive(Debug, Subcommand)]
pub enum People {
    /// List and create vaults.
    #[command(after_help = EXIT_CODES)]
    Vault {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        verb: vault::Verb,
    },
    /// Send, read and decide on transfers.
    #[command(after_help = EXIT_CODES)]
    Transfer {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        verb: transfer::Verb,
    },
    /// Show what personal data a transfer or an organization has, and, confirmed, destroy it for ever.
    #[command(after_help = EXIT_CODES)]
    Erase {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        erase: erase::Asked,
    },
    /// Replay the log as public events, one JSON object a line; with an auditor's key those of every organization.
    #[command(after_help = EXIT_CODES)]
    Replay {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        asked: replay::Wanted,
    },
    /// See how far the views are and rebuild them, with a key of the platform organization (platform.key).
    #[command(after_help = EXIT_CODES)]
    Views {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        verb: views::Verb,
    },
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 not sent (this command line cannot be carried out); 2 wrong usage; \
    3 refused by the server; 4 no clear answer, the request may have had an effect; 5 the server could not do it now; \
    6 what was waited for ended without being completed, or not in time.";

/// Why a verb did not do what was asked, by what a script should do about it.
#[derive(Debug)]
pub enum Ended {
    /// Nothing was sent.
    Unsent(anyhow::Error),
    /// The server or the connection said no.
    Answered(ClientError),
    /// The request may have had an effect; the key learns the outcome.
    Unclear {
        error: ClientError,
        idempotency_key: String,
    },
    /// What was waited for is not completed.
    NotCompleted(String),
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Answered(error)
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::Unsent(error)
    }
}

impl Ended {
    fn code(&self) -> u8 {
        match self {
            Self::Unsent(_) | Self::Answered(ClientError::Configuration(_)) => 1,
            Self::Answered(ClientError::Refused(problem)) if problem.status < 500 => 3,
            Self::Unclear { .. } | Self::Answered(ClientError::Connection(_)) => 4,
            Self::Answered(
                ClientError::Refused(_) | ClientError::Unreadable { .. } | ClientError::Unreachable(_),
            ) => 5,
            Self::NotCompleted(_) => 6,
        }
    }
}

type Done = Result<(), Ended>;

/// Carries a verb out and says how it ended.
pub fn run(people: People) -> ExitCode {
    let (connection, done) = match people {
        People::Vault { connection, verb } => (
            connection.clone(),
            connection.block_on(|ask| vault::run(ask, verb)),
        ),
        People::Transfer { connection, verb } => (
            connection.clone(),
            connection.block_on(|ask| transfer::run(ask, verb)),
        ),
        People::Erase { connection, erase } => (
            connection.clone(),
            connection.block_on(|ask| erase::run(ask, erase)),
        ),
        People::Replay { connection, asked } => (
            connection.clone(),
            connection.block_on(|ask| replay::run(ask, asked)),
        ),
        People::Views { connection, verb } => (
            connection.clone(),
            connection.block_on(|ask| views::run(ask, verb)),
        ),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(ended) => {
            eprint!("{}", output::failure(&ended, connection.output, connection.url()));
            ExitCode::from(ended.code())
        }
    }
}
