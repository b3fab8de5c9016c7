//! The platform's eyes: structured logs without secrets, and metrics in the OpenMetrics text format.
//!
//! Invariants: a metric has a closed set of label values (use cases, outcomes, routes, views), never an id of a tenant's
//! thing; a log line is one JSON object with the time, level, target, message and fields, and values that look like
//! credentials are replaced before they are written.

mod logs;
mod metrics;
mod redact;

pub use logs::{LogFormat, LogOptions, LogsError, init};
pub use metrics::{Metrics, Outcome};
pub use redact::redacted;
