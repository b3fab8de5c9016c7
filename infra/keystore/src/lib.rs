//! Software keys: the embedded adapter of `AccountKeys`, `Signing` and `Keyring`.
//!
//! A directory holds `keystore.json` (how the master key is made), `keys/<account>.json`, `subjects/<hash>.json` and
//! `secrets/<name>.json`, one small file each, readable by its owner only, encrypted with AES-256-GCM under a master key
//! that comes from a passphrase (Argon2id) or from the random file `key` beside them.
//!
//! Invariants. A file is written whole or not at all, and is on disk before anyone hears of it. Every readable field of
//! a file is authenticated together with its secret, so a changed or swapped file does not open. Keys are decrypted for
//! one use and wiped; nothing caches them. Nobody gets a digest signed: the signer derives it from a plan that it has
//! checked against the intent. Refuses: wrong passphrases, key files others can read, damaged files.

pub mod backup;
mod carried_out;
mod checkpoints;
mod cipher;
mod directory;
mod error;
mod header;
mod keyring;
mod keys;
mod options;
mod record;
mod signing;

use std::fmt;
use std::sync::Arc;

pub use checkpoints::CheckpointKeys;
pub use error::{OpenError, StoreError};
pub use options::{Options, Secret};

use cipher::MasterKey;
use directory::Directory;

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    /// From a passphrase that is kept nowhere.
    Passphrase,
    /// From a file; whoever has it and the directory has every key, and without it every key is lost.
    KeyFile {
        /// Where it lies.
        path: std::path::PathBuf,
        /// Whether this start made it: worth saying aloud.
        created: bool,
    },
}

struct Inner {
    directory: Directory,
    master: MasterKey,
    source: MasterKeySource,
}

/// An open keystore; clones share it.
#[derive(Clone)]
pub struct Keystore {
    inner: Arc<Inner>,
}

impl fmt::Debug for Keystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keystore")
            .field("directory", &self.inner.directory.path())
            .field("source", &self.inner.source)
            .finish_non_exhaustive()
    }
}

impl Keystore {
    /// Opens the keystore in a directory, or makes one there. With a passphrase this takes a good part of a second and
    /// 64 MiB, on purpose; call it from a thread that may block.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let directory = Directory::open(&options.dir)?;
        let (master, source) = header::master_key(&directory, options.passphrase.as_ref())?;
        Ok(Self {
            inner: Arc::new(Inner {
                directory,
                master,
                source,
            }),
        })
    }

    /// Where the master key came from.
    pub fn source(&self) -> &MasterKeySource {
        &self.inner.source
    }

    /// Runs a blocking operation away from the async threads.
    async fn run<T, E>(&self, work: impl FnOnce(&Inner) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|_| Err(StoreError::Interrupted.into()))
    }
}

#[cfg(test)]
mod tests;
