//! Starts logs and spans together, and ends them in the other order.

use crate::logs::{self, LogOptions, LogsError};
use crate::metrics::Metrics;
use crate::spans::SpanOptions;

/// Why a process cannot tell what it does.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Logs cannot be written.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The options of spans are wrong.
    #[error("{0}")]
    Options(String),
    /// The build cannot export spans.
    #[error(
        "telemetry.otlp_endpoint is set, and this build has no exporter; build with `--features cluster` or leave it out"
    )]
    NoExporter,
    /// The exporter cannot be made.
    #[error("spans cannot be exported")]
    Exporter(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Logs, and spans where they are configured. Keep it until the process ends.
#[must_use = "spans that wait are lost without `shutdown`"]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    exporting: Option<crate::otlp::Exporting>,
}

impl Telemetry {
    /// Starts writing logs to standard error and handing spans to the collector.
    pub fn start(logs: &LogOptions, spans: &SpanOptions, metrics: &Metrics) -> Result<Self, StartError> {
        if let Some(fault) = spans.fault() {
            return Err(StartError::Options(fault));
        }
        Self::begin(logs, spans, metrics)
    }

    #[cfg(feature = "otlp")]
    fn begin(logs: &LogOptions, spans: &SpanOptions, metrics: &Metrics) -> Result<Self, StartError> {
        if spans.endpoint.is_none() {
            logs::init(logs)?;
            return Ok(Self { exporting: None });
        }
        let exporting = crate::otlp::Exporting::start(spans, metrics)?;
        logs::init_with(logs, Some(exporting.layer()))?;
        Ok(Self {
            exporting: Some(exporting),
        })
    }

    #[cfg(not(feature = "otlp"))]
    fn begin(logs: &LogOptions, spans: &SpanOptions, _: &Metrics) -> Result<Self, StartError> {
        if spans.endpoint.is_some() {
            return Err(StartError::NoExporter);
        }
        logs::init(logs)?;
        Ok(Self {})
    }

    /// Sends what waits, within the time one message may take. Blocks; call it when everything else has ended.
    pub fn shutdown(self) {
        #[cfg(feature = "otlp")]
        if let Some(exporting) = self.exporting {
            exporting.shutdown();
        }
    }
}
