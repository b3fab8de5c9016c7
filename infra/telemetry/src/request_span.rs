//! The span of one request at the door: it continues the caller's trace, and its own `traceparent` is what every event
//! of the request carries.

use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::spans::SPANS;

/// A request being answered.
pub struct RequestSpan {
    span: Span,
    traceparent: Option<String>,
}

impl RequestSpan {
    /// Begins the span of a request. `route` is the pattern, never the path; `incoming` is the caller's `traceparent`, as
    /// it came: one that is malformed is not continued.
    pub fn begin(method: &str, route: &str, incoming: Option<&str>) -> Self {
        if !tracing::span_enabled!(target: SPANS, tracing::Level::INFO) {
            return Self {
                span: Span::none(),
                traceparent: None,
            };
        }
        let name = format!("{method} {route}");
        let span = tracing::info_span!(
            target: SPANS,
            "http.request",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
        );
        #[cfg(feature = "otlp")]
        let traceparent = crate::otlp::continued(&span, incoming);
        #[cfg(not(feature = "otlp"))]
        let traceparent = incoming.and(None);
        Self { span, traceparent }
    }

    /// The `traceparent` of this span; none where no spans are exported.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Runs the rest of the request inside the span.
    pub async fn run<F: Future>(&self, rest: F) -> F::Output {
        rest.instrument(self.span.clone()).await
    }

    /// The request was answered.
    pub fn end(self, status: u16) {
        self.span.record("http.response.status_code", status);
        if status >= 500 {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}
