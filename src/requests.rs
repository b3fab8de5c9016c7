//! Counts every answered request by its route's pattern, never by its path, and makes its span where spans are exported.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::trace::Begun;
use vaultstream_infra_telemetry::{Metrics, RequestSpan};

use crate::observer::limit_of;

/// Middleware around the edge: begins the request's span, whose `traceparent` becomes that of every event it causes.
pub async fn trace(mut request: Request, next: Next) -> Response {
    let incoming = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let span = RequestSpan::begin(method_of(&request), &route_of(&request), incoming);
    if let Some(own) = span.traceparent() {
        let begun = Begun(own.into());
        request.extensions_mut().insert(begun);
    }
    let response = span.run(next.run(request)).await;
    span.end(response.status().as_u16());
    response
}

/// Middleware around the edge: counts what the edge itself answers too, such as a time-out.
pub async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let (method, route) = (method_of(&request), route_of(&request));
    let begun = Instant::now();
    let running = metrics.door.running();
    let response = next.run(request).await;
    drop(running);
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let code = response.extensions().get::<ErrorCode>().copied();
    if let Some(limit) = code.and_then(limit_of) {
        metrics.door.limit(limit, 1);
    }
    metrics.request(method, &route, response.status().as_u16(), micros);
    response
}

fn route_of(request: &Request) -> String {
    request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned())
}

/// The method, from a closed set.
fn method_of(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}
