//! Why there is no mark, and so no signature.

use std::sync::Arc;

use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::note_list::NoteListError;
use vaultstream_domain::ports::seal::SealError;

use super::Rewound;

/// Why nothing was marked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MarkError {
    /// The log is behind its mark.
    #[error("the log is behind its mark; nothing is signed or sent until operators release it")]
    Quarantined(Arc<Rewound>),
    /// Whether the log holds its mark is not known.
    #[error("whether the log holds its mark is not known: {0}")]
    Unknown(String),
    /// The log does not answer.
    #[error("the log cannot be marked")]
    Log(#[source] Arc<LogError>),
    /// The list of marks does not answer.
    #[error("no mark can be kept")]
    Marks(#[source] Arc<NoteListError>),
    /// The list of checkpoints does not answer.
    #[error("the newest checkpoint is not known")]
    Checkpoints(#[source] Arc<NoteListError>),
    /// The mark was not signed.
    #[error("no mark can be signed")]
    Seal(#[source] Arc<SealError>),
    /// Other processes marked again and again.
    #[error("other processes keep marking; try again")]
    Contended,
    /// The process stops.
    #[error("the process is about to stop")]
    Stopped,
}

macro_rules! shared {
    ($($variant:ident($error:ty);)+) => { $(
        impl From<$error> for MarkError {
            fn from(error: $error) -> Self { Self::$variant(Arc::new(error)) }
        }
    )+ };
}

shared! {
    Log(LogError);
    Marks(NoteListError);
    Seal(SealError);
}
