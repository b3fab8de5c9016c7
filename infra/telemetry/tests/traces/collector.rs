//! A tiny OTLP collector: takes messages over HTTP with protobuf and keeps what they say.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A span, and what it says of the process it came from.
#[derive(Clone)]
pub struct Taken {
    pub span: Span,
    resource: Vec<KeyValue>,
}

impl Taken {
    /// What the process says of itself under a name; empty when nothing.
    pub fn resource(&self, name: &str) -> String {
        value(&self.resource, name)
    }
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    spans: Vec<Taken>,
}

/// The collector.
#[derive(Clone)]
pub struct Collector {
    pub endpoint: String,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    pub async fn start() -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(kept.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, kept }
    }

    fn read<T>(&self, read: impl Fn(&Kept) -> T) -> T {
        read(&self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every span of a name so far.
    pub fn named(&self, name: &str) -> Vec<Taken> {
        self.read(|kept| {
            let named = kept.spans.iter().filter(|taken| taken.span.name == name);
            named.cloned().collect()
        })
    }

    /// The only span of a name.
    pub fn span(&self, name: &str) -> Taken {
        let mut found = self.named(name);
        assert_eq!(found.len(), 1, "spans named {name}");
        found.remove(0)
    }

    pub fn count(&self) -> usize {
        self.read(|kept| kept.spans.len())
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.read(|kept| kept.bytes.clone())
    }

    pub fn has_trace(&self, trace: &str) -> bool {
        self.read(|kept| {
            kept.spans.iter().any(|Taken { span, .. }| {
                hex(&span.trace_id) == trace || span.links.iter().any(|link| hex(&link.trace_id) == trace)
            })
        })
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let kind = headers.get("content-type").map(axum::http::HeaderValue::as_bytes);
    assert_eq!(kind, Some(b"application/x-protobuf".as_slice()));
    let Ok(message) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.bytes.extend_from_slice(&body);
    for of_resource in message.resource_spans {
        let resource = of_resource.resource.unwrap_or_default().attributes;
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let resource = resource.clone();
            kept.spans.push(Taken { span, resource });
        }
    }
    StatusCode::OK
}

fn value(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|a| a.value.clone()).and_then(|v| v.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// An attribute of a span as text; empty when it has none of that name.
pub fn attribute(span: &Span, name: &str) -> String {
    value(&span.attributes, name)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
