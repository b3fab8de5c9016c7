//! The clocks of processes under test, moved while they run.
//!
//! Wall time only: `VAULTSTREAM_CLOCK_FILE` names a file that holds how many seconds the process's clock is wrong, and
//! builds with debug assertions look at it many times a second. A time namespace moves the monotonic clocks and not this
//! one; `libfaketime` would have to be installed, catches what a library calls and not what the kernel stamps, and slows
//! every call; setting the machine's own clock would disturb everybody on it. Release builds cannot hear the file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The variable that names the file.
pub const VARIABLE: &str = "VAULTSTREAM_CLOCK_FILE";

/// The clock of every process that was given this file.
pub struct Clocks {
    file: PathBuf,
}

impl Clocks {
    /// Right, until it is moved. The file lies in `dir`.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        let clocks = Self {
            file: dir.join(format!("{name}.clock")),
        };
        clocks.wrong_by(0)?;
        Ok(clocks)
    }

    /// The file, for [`VARIABLE`].
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// From now on wrong by so many seconds: ahead when positive.
    pub fn wrong_by(&self, seconds: i64) -> Result<()> {
        // Renamed into place, so that nobody reads half of it.
        let next = self.file.with_extension("next");
        std::fs::write(&next, seconds.to_string()).context("the clock's file cannot be written")?;
        std::fs::rename(&next, &self.file).context("the clock's file cannot be replaced")
    }
}
