//! What a keystore is opened with.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// A text that is wiped when dropped and never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a keystore is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory; made when absent, readable by its owner only.
    pub dir: PathBuf,
    /// The passphrase; without one the master key is the random file `key` in the directory.
    pub passphrase: Option<Secret>,
}
