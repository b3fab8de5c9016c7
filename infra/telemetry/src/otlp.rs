//! Spans by OTLP: HTTP with protobuf, in batches, from a thread of their own.
//!
//! The queue is bounded and what does not fit is dropped: telling must never slow down doing. Everything that leaves is
//! finished first ([`finish`]): credentials replaced, links made.

mod client;
mod finish;
mod sampling;

use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Layer, Registry};

use crate::metrics::Metrics;
use crate::spans::{SPANS, SpanOptions};
use crate::start::StartError;
use client::Client;
use finish::Finishing;
use sampling::Sampling;

/// The path of spans at a collector.
const PATH: &str = "/v1/traces";
/// Bytes of one message to the collector.
const MESSAGE_MAX: usize = 4 << 20;

/// A running exporter.
pub(crate) struct Exporting {
    provider: SdkTracerProvider,
    timeout: Duration,
}

impl Exporting {
    pub(crate) fn start(options: &SpanOptions, metrics: &Metrics) -> Result<Self, StartError> {
        let timeout = Duration::from_millis(options.timeout_ms);
        let endpoint = options
            .endpoint
            .as_deref()
            .unwrap_or_default()
            .trim_end_matches('/');
        let endpoint = match endpoint.strip_suffix(PATH) {
            Some(_) => endpoint.to_owned(),
            None => format!("{endpoint}{PATH}"),
        };
        let client = Client::try_new(timeout).map_err(|e| StartError::Exporter(e.into()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_max_request_body_size(MESSAGE_MAX)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .build()
            .map_err(|e| StartError::Exporter(e.into()))?;
        let batch = BatchConfigBuilder::default()
            .with_max_queue_size(options.queue)
            .with_max_export_batch_size(options.batch)
            .with_scheduled_delay(Duration::from_millis(options.delay_ms))
            .build();
        let processor = BatchSpanProcessor::builder(Finishing::new(exporter, metrics.clone()))
            .with_batch_config(batch)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampling::new(options.ratio, options.follows_caller))
            .with_max_attributes_per_span(32)
            .with_max_links_per_span(0)
            .with_resource(resource(options))
            .build();
        Ok(Self { provider, timeout })
    }

    /// The layer that turns spans of [`SPANS`] into OpenTelemetry's, and nothing else: what is logged stays in the logs.
    pub(crate) fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        let tracer: SdkTracer = self.provider.tracer("vaultstream");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(SPANS, LevelFilter::INFO))
    }

    /// Sends what waits.
    pub(crate) fn shutdown(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(self.timeout) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

fn resource(options: &SpanOptions) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.version", options.version.clone()),
        KeyValue::new("vaultstream.role", options.role.clone()),
    ];
    if !options.instance.is_empty() {
        attributes.push(KeyValue::new("service.instance.id", options.instance.clone()));
    }
    Resource::builder_empty()
        .with_service_name("vaultstream")
        .with_attributes(attributes)
        .build()
}

/// Makes a span continue the caller's trace; its own `traceparent`, when it is exported at all.
pub(crate) fn continued(span: &Span, incoming: Option<&str>) -> Option<String> {
    if let Some(parent) = incoming.and_then(parse) {
        // It fails only for a span that nobody exports.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    own.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            own.trace_id(),
            own.span_id(),
            own.trace_flags().to_u8() & 1
        )
    })
}

/// A `traceparent` as OpenTelemetry sees it; `None` when it is malformed.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let fields = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let lower = text
        .bytes()
        .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if parts.next().is_some() || !lower || fields.map(str::len) != [2, 32, 16, 2] || fields[0] == "ff" {
        return None;
    }
    let flags = u8::from_str_radix(fields[3], 16).ok()? & 1;
    let context = SpanContext::new(
        TraceId::from_hex(fields[1]).ok()?,
        SpanId::from_hex(fields[2]).ok()?,
        TraceFlags::new(flags),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentelemetry::trace::{Span as _, Tracer};

    use super::*;

    #[test]
    fn dead_collector_should_cost_a_bounded_time_and_be_counted() {
        // A port that was free a moment ago; nobody answers there.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a free port")
            .port();
        let options = SpanOptions {
            endpoint: Some(format!("http://127.0.0.1:{port}/")),
            ratio: 1.0,
            timeout_ms: 300,
            ..SpanOptions::default()
        };
        let metrics = Metrics::new();
        let exporting = Exporting::start(&options, &metrics).expect("starts without a collector");
        exporting.provider.tracer("test").start("work").end();
        let begun = Instant::now();
        exporting.shutdown();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let line = "vaultstream_spans_total{outcome=\"failed\"} 1";
        assert!(metrics.text().contains(line), "{}", metrics.text());
    }

    #[test]
    fn traceparent_should_be_read_strictly() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = parse(good).expect("well formed");
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            zero.as_str(),
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
