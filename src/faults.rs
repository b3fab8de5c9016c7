//! What a test can do to the process: stop it at a durable boundary of a saga, as abruptly as `kill -9`, make it one of
//! the next build, which has an event version more, or set its clocks wrong while it runs.
//!
//! Only builds with debug assertions listen to `VAULTSTREAM_HALT_AT`, `VAULTSTREAM_REHEARSE` and
//! `VAULTSTREAM_CLOCK_FILE`; a release build has nothing that could hear them.

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

/// Keeps the clocks of this process as wrong as the file says that `VAULTSTREAM_CLOCK_FILE` names, in seconds; from before
/// anything is opened.
pub fn wrong_clock_from_env() {
    #[cfg(debug_assertions)]
    if let Some(file) = std::env::var_os("VAULTSTREAM_CLOCK_FILE") {
        let look = move || {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let seconds: i64 = text.trim().parse().unwrap_or(0);
            vaultstream_domain::ports::wrong_clock::set_micros(seconds.saturating_mul(1_000_000));
        };
        look();
        std::thread::spawn(move || {
            loop {
                std::thread::park_timeout(std::time::Duration::from_millis(20));
                look();
            }
        });
    }
}
