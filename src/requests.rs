//! Counts every answered request by its route's pattern, never by its path, and makes its span where spans are exported.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;
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

/// Middleware that ends kept connections while the process drains, so that no request is on its way when they close.
pub async fn let_go(State(draining): State<watch::Receiver<bool>>, request: Request, next: Next) -> Response {
    let is_kept = request.version() < Version::HTTP_2;
    let mut response = next.run(request).await;
    if is_kept && *draining.borrow() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    #[tokio::test]
    async fn kept_connection_should_end_with_its_next_answer_once_the_process_drains() {
        let (begin, draining) = watch::channel(false);
        let router = Router::new()
            .route("/", get(|| async { "answered" }))
            .layer(from_fn_with_state(draining, let_go));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut kept = TcpStream::connect(address).await.expect("connects");
        for _ in 0..2 {
            kept.write_all(ASK).await.expect("sent");
            let mut answer = Vec::new();
            while !answer.ends_with(b"answered") {
                assert!(kept.read_buf(&mut answer).await.expect("read") > 0, "it is kept");
            }
        }
        begin.send_replace(true);
        kept.write_all(ASK).await.expect("sent");
        let mut answer = String::new();
        let ended = kept.read_to_string(&mut answer);
        tokio::time::timeout(std::time::Duration::from_secs(10), ended)
            .await
            .expect("the connection ends")
            .expect("read");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.ends_with("answered"), "{answer}");
    }
}
