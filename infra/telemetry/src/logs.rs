//! Logs: one line an event, JSON for machines or text for people, filtered by `VAULTSTREAM_LOG`, redacted.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Identity, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::redact::redacted;
use crate::spans::SPANS;

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
    init_with(options, None::<Identity>)
}

/// Starts writing logs beside another layer, which the filter of logs does not concern.
pub(crate) fn init_with<L>(options: &LogOptions, beside: Option<L>) -> Result<(), LogsError>
where
    L: Layer<Registry> + Send + Sync,
{
    let filter =
        EnvFilter::try_new(&options.filter).map_err(|_| LogsError::Filter(options.filter.clone()))?;
    let filter = filter.add_directive(
        format!("{SPANS}=off")
            .parse()
            .expect("a target and a level are a directive"),
    );
    let lines = tracing_subscriber::fmt::layer().with_writer(Redacting);
    let registry = tracing_subscriber::registry().with(beside);
    match options.format {
        LogFormat::Json => registry
            .with(
                lines
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_filter(filter),
            )
            .try_init(),
        LogFormat::Text => registry
            .with(lines.with_target(false).compact().with_filter(filter))
            .try_init(),
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
