//! Counts every answered request by its route's pattern, never by its path.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use vaultstream_infra_telemetry::Metrics;

/// Middleware that counts.
pub async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |p| p.as_str().to_owned());
    let begun = Instant::now();
    let response = next.run(request).await;
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let method = if matches!(
        method.as_str(),
        "GET" | "POST" | "PATCH" | "PUT" | "DELETE" | "HEAD"
    ) {
        method.as_str()
    } else {
        "other"
    };
    metrics.request(method, &route, response.status().as_u16(), micros);
    response
}
