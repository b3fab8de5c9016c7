//! What can go wrong with a keystore; each message says what to do. None carries a secret.

use std::io;
use std::path::PathBuf;

use vaultstream_domain::ports::keyring::KeyringError;
use vaultstream_domain::ports::keys::KeyError;

/// Why a keystore does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The passphrase does not open this keystore.
    #[error("the passphrase does not open the keystore: it is wrong, or keystore.json was changed")]
    WrongPassphrase,
    /// The keystore wants a passphrase.
    #[error("the keystore is protected by a passphrase: give it by reference in keystore.passphrase")]
    PassphraseMissing,
    /// The keystore has none.
    #[error(
        "the keystore is opened by its file `key`, not by a passphrase: start without keystore.passphrase"
    )]
    PassphraseNotUsed,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty: give a real one, or none to use the file `key`")]
    PassphraseEmpty,
    /// The key file is gone while there are keys.
    #[error("{0} is missing: put it back from your backup; without it the keys beside it cannot be opened")]
    KeyFileMissing(PathBuf),
    /// The key file is not the one the keys were made with.
    #[error(
        "{0} does not open the keystore: it is another key, or keystore.json was changed; restore both from one backup"
    )]
    KeyFileWrong(PathBuf),
    /// Others can read the key file.
    #[error("{path} can be read by others (mode {mode:o}): run chmod 600 on it, and consider its keys known")]
    KeyFileOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The description of the master key is gone while there are keys.
    #[error("keystore.json is missing in {0} although there are keys: put it back from your backup")]
    HeaderMissing(PathBuf),
    /// The description of the master key cannot be read.
    #[error("keystore.json cannot be taken: {0}; put it back from your backup")]
    Header(&'static str),
    /// The directory or a file in it failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a stored secret could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        #[source]
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{0} is damaged or was changed: put it back from your backup")]
    Damaged(PathBuf),
    /// The operating system gave no randomness.
    #[error("the operating system gives no random bytes")]
    Random,
    /// A cipher refused its input.
    #[error("the value is too large to encrypt")]
    TooLarge,
    /// A secret's name that cannot be a file's.
    #[error("`{0}` cannot name a secret: use a to z, 0 to 9 and -, at most 64")]
    Name(&'static str),
    /// The subject's name is longer than the contract allows.
    #[error("a subject has at most 128 characters")]
    Subject,
    /// The operation's thread died.
    #[error("the operation was interrupted")]
    Interrupted,
}

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> Self {
        Self::Store {
            doing: "use its files",
            source: Box::new(error),
        }
    }
}

impl From<StoreError> for KeyringError {
    fn from(error: StoreError) -> Self {
        Self::Store {
            doing: "use its files",
            source: Box::new(error),
        }
    }
}
