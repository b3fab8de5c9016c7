//! What a test can do to the process: stop it at a durable boundary of a saga, as abruptly as `kill -9`, or make it one of
//! the next build, which has an event version more.
//!
//! Only builds with debug assertions listen to `VAULTSTREAM_HALT_AT` and `VAULTSTREAM_REHEARSE`; a release build has
//! nothing that could hear them.

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

/// Makes this process one of the next build when `VAULTSTREAM_REHEARSE` says so; before anything is read.
pub fn rehearse_from_env() {
    #[cfg(debug_assertions)]
    if std::env::var_os("VAULTSTREAM_REHEARSE").is_some_and(|what| what == "next") {
        vaultstream_event_schemas::rehearsal::begin();
    }
}
