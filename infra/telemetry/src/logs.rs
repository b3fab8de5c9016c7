//! Logs: one line an event, JSON for machines or text for people, filtered by `VAULTSTREAM_LOG`, redacted.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::redact::redacted;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For a person at a terminal.
    Text,
}

/// How logs are written.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// The form of a line.
    pub format: LogFormat,
    /// A `tracing` filter such as `info,vaultstream_kernel=debug`.
    pub filter: String,
}

/// Why logs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter cannot be read.
    #[error(
        "the log filter `{0}` cannot be read; use levels and targets such as info,vaultstream_kernel=debug"
    )]
    Filter(String),
    /// Logs are written already.
    #[error("logs are set up already")]
    Twice,
}

/// Starts writing logs to standard error.
pub fn init(options: &LogOptions) -> Result<(), LogsError> {
    let filter =
        EnvFilter::try_new(&options.filter).map_err(|_| LogsError::Filter(options.filter.clone()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Redacting);
    match options.format {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => builder.with_target(false).compact().try_init(),
    }
    .map_err(|_| LogsError::Twice)
}

/// Writes whole lines to standard error without credentials.
#[derive(Clone, Copy)]
struct Redacting;

/// One line being made.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.0);
        // A log that cannot be written is not worth a crash.
        let _ = io::stderr().lock().write_all(redacted(&text).as_bytes());
    }
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line(Vec::with_capacity(256))
    }
}
