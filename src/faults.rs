//! Where a test can stop the process: at a durable boundary of a saga, as abruptly as `kill -9`.
//!
//! Only builds with debug assertions listen to `VAULTSTREAM_HALT_AT`; a release build ignores it.

use vaultstream_workflows::Boundary;

/// Ends the process when the named boundary is passed.
pub struct HaltAt(Option<String>);

impl HaltAt {
    /// Reads `VAULTSTREAM_HALT_AT` in builds with debug assertions.
    pub fn from_env() -> Self {
        Self(if cfg!(debug_assertions) {
            std::env::var("VAULTSTREAM_HALT_AT").ok()
        } else {
            None
        })
    }
}

impl Boundary for HaltAt {
    fn passed(&self, name: &'static str) {
        if self.0.as_deref() == Some(name) {
            // No destructor runs and nothing is flushed: what is not durable by now is gone.
            std::process::abort();
        }
    }
}
