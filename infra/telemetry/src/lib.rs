//! The platform's eyes: structured logs without secrets, metrics in the OpenMetrics text format, and spans for an
//! OpenTelemetry collector.
//!
//! Invariants: a metric has a closed set of label values (use cases, outcomes, routes, views), never an id of a tenant's
//! thing; a log line is one JSON object with the time, level, target, message and fields, and values that look like
//! credentials are replaced before they are written; the same holds for what leaves in a span. Spans are made only where
//! an exporter is configured and the build has the feature `otlp`; everywhere else they cost nothing.

mod logs;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod redact;
mod request_span;
mod spans;
mod start;

pub use logs::{LogFormat, LogOptions, LogsError, init};
pub use metrics::{
    Bus, CacheOutcome, Chains, Described, Door, Held, Hub, Kind, Metrics, Outcome, Process, RecordOutcome,
    Views, Work, Writing, table,
};
pub use redact::redacted;
pub use request_span::RequestSpan;
pub use spans::{LINKS, SPANS, SpanOptions};
pub use start::{StartError, Telemetry};
