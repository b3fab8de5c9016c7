//! A request's span and what follows from it, as a collector sees them: the real executor, log and projector between.

mod collector;
mod node;

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use vaultstream_infra_telemetry::{LogFormat, LogOptions, Metrics, RequestSpan, SpanOptions, Telemetry};

use collector::{Collector, hex};
use node::Node;

const SECRET: &str = "c2VjcmV0c2VjcmV0";
const SAMPLED: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const UNSAMPLED: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "00f067aa0ba902b7";

/// As the binary does it: outside of everything that looks at the request.
async fn trace(mut request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let incoming = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let span = RequestSpan::begin(request.method().as_str(), &route, incoming);
    let own = span.traceparent().map(str::to_owned);
    request.extensions_mut().insert(own);
    let response = span.run(next.run(request)).await;
    span.end(response.status().as_u16());
    response
}

async fn register(State(node): State<Node>, Extension(trace): Extension<Option<String>>) -> StatusCode {
    node.register(trace).await;
    StatusCode::CREATED
}

async fn serve(node: Node) -> String {
    let router = Router::new()
        .route("/v1/organizations/{name}", post(register))
        .layer(from_fn(trace))
        .with_state(node);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn call(base: &str, trace: &str, flags: &str) {
    let answer = reqwest::Client::new()
        .post(format!("{base}/v1/organizations/acme?code={SECRET}"))
        .header("authorization", format!("Bearer {SECRET}"))
        .header("traceparent", format!("00-{trace}-{CALLER}-{flags}"))
        .send()
        .await
        .expect("answered");
    assert_eq!(answer.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_and_what_it_caused_should_be_linked_at_the_collector() {
    let collector = Collector::start().await;
    let metrics = Metrics::new();
    let logs = LogOptions {
        format: LogFormat::Json,
        filter: "warn".into(),
    };
    let spans = SpanOptions {
        endpoint: Some(collector.endpoint.clone()),
        role: "command-api".into(),
        version: "9.9.9".into(),
        instance: "pod-1".into(),
        ratio: 1.0,
        follows_caller: true,
        delay_ms: 20,
        ..SpanOptions::default()
    };
    let telemetry = Telemetry::start(&logs, &spans, &metrics).expect("starts");
    let node = Node::start().await;
    let base = serve(node.clone()).await;
    call(&base, UNSAMPLED, "00").await;
    call(&base, SAMPLED, "01").await;
    until("a span projector.apply", || {
        !collector.named("projector.apply").is_empty()
    })
    .await;
    node.stop().await;
    tokio::task::spawn_blocking(move || telemetry.shutdown())
        .await
        .expect("ends");

    let taken = collector.span("POST /v1/organizations/{name}");
    let request = taken.span.clone();
    assert_eq!(hex(&request.trace_id), SAMPLED, "the caller's trace goes on");
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!(collector::attribute(&request, "http.response.status_code"), "201");
    for work in ["log.append", "projector.apply"] {
        let span = collector.span(work).span;
        assert_ne!(span.trace_id, request.trace_id, "{work} is a trace of its own");
        assert!(span.parent_span_id.is_empty(), "{work} is nobody's child");
        let links: Vec<_> = span.links.iter().map(|l| (&l.trace_id, &l.span_id)).collect();
        assert_eq!(links, [(&request.trace_id, &request.span_id)], "{work}");
        assert_eq!(collector::attribute(&span, "trace.links"), "");
    }
    for (name, value) in [
        ("service.name", "vaultstream"),
        ("service.version", "9.9.9"),
        ("service.instance.id", "pod-1"),
        ("vaultstream.role", "command-api"),
    ] {
        assert_eq!(taken.resource(name), value, "{name}");
    }
    let bytes = collector.bytes();
    assert!(!contains(&bytes, SECRET.as_bytes()), "a secret left in a span");
    assert!(!contains(&bytes, b"acme"), "a path left instead of its pattern");
    assert!(
        !collector.has_trace(UNSAMPLED),
        "the caller did not want it sampled"
    );
    let exported = collector.count();
    let line = format!("vaultstream_spans_total{{outcome=\"exported\"}} {exported}");
    assert!(metrics.text().contains(&line), "{line}\n{}", metrics.text());
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn bad_options_should_be_refused_before_anything_starts() {
    let spans = SpanOptions {
        endpoint: Some("https://collector.example".into()),
        ..SpanOptions::default()
    };
    let refused = Telemetry::start(&LogOptions::default(), &spans, &Metrics::new());
    let error = refused.err().expect("refused").to_string();
    assert!(error.contains("telemetry.otlp_endpoint"), "{error}");
}

/// Waits until `done` or fails after twenty seconds.
async fn until(what: &str, done: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
