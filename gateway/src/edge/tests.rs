//! The edge around small routers: what it lets through, and how refusals, panics and silence read.

use axum::body::Body;
use axum::routing::{get, post};
use http::StatusCode;
use tower::ServiceExt;
use uuid::Uuid;
use vaultstream_client::Problem;

use super::*;
use crate::json::JsonBody;

struct Counting(std::sync::atomic::AtomicU64);
impl Ids for Counting {
    fn next(&self) -> Uuid {
        id::random(
            1,
            u128::from(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        )
    }
}

async fn boom() -> &'static str {
    panic!("on purpose")
}

fn router(options: &EdgeOptions) -> Router {
    let routes = Router::new()
        .route("/ok", get(|| async { "ok" }))
        .route("/boom", get(boom))
        .route(
            "/trace",
            get(|axum::Extension(info): axum::Extension<RequestInfo>| async move { info.trace.to_string() }),
        )
        .route("/slow", get(|| async { std::future::pending::<&str>().await }))
        .route(
            "/body",
            post(|JsonBody(body): JsonBody<vaultstream_client::CreateVault>| async move { body.name }),
        )
        .route(
            "/unready",
            get(|| async { (StatusCode::SERVICE_UNAVAILABLE, axum::Json("not yet")) }),
        )
        .route("/health/live", get(|| async { "alive" }));
    Edge::new(options, Arc::new(Counting(0.into()))).wrap(routes)
}

async fn call(request: http::request::Builder, body: Body) -> (StatusCode, HeaderMap, Vec<u8>) {
    let options = EdgeOptions {
        timeout_ms: 50,
        ..EdgeOptions::default()
    };
    let request = request.body(body).expect("a request");
    let response = router(&options).oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("whole");
    (parts.status, parts.headers, bytes.to_vec())
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:8080")
}

async fn problem_of(request: http::request::Builder, body: Body) -> (HeaderMap, Problem) {
    let (status, headers, bytes) = call(request, body).await;
    let problem: Problem = serde_json::from_slice(&bytes).expect("a problem");
    assert_eq!(problem.status, status.as_u16());
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers[REQUEST_ID], problem.request_id.as_str());
    (headers, problem)
}

#[tokio::test]
async fn answer_should_carry_id_and_security_headers() {
    let (status, headers, body) = call(
        request("GET", "/ok").header("x-request-id", "my-request-1"),
        Body::empty(),
    )
    .await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, b"ok".as_slice()));
    assert_eq!(headers["x-request-id"], "my-request-1");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"),
        "{policy}"
    );
    assert!(
        !headers.contains_key("strict-transport-security"),
        "plain http must not be forbidden for ever"
    );
    let (_, headers, _) = call(
        request("GET", "/ok").header("x-request-id", "bad id\u{e9}"),
        Body::empty(),
    )
    .await;
    assert_ne!(headers["x-request-id"], "bad id\u{e9}");
}

#[tokio::test]
async fn strangers_hosts_and_pages_should_be_refused() {
    let get = |host: &str| Request::builder().uri("/ok").header("host", host);
    assert_eq!(
        problem_of(get("evil.example"), Body::empty()).await.1.code,
        ErrorCode::HostNotAllowed
    );
    assert_eq!(
        problem_of(Request::builder().uri("/ok"), Body::empty())
            .await
            .1
            .code,
        ErrorCode::HostNotAllowed
    );
    let foreign = request("GET", "/ok").header("origin", "https://evil.example");
    let (_, problem) = problem_of(foreign, Body::empty()).await;
    assert_eq!(
        (problem.code, problem.errors[0].field.as_str()),
        (ErrorCode::OriginNotAllowed, "Origin")
    );
    let own = request("GET", "/ok").header("origin", "http://127.0.0.1:8080");
    assert_eq!(call(own, Body::empty()).await.0, StatusCode::OK);
    let probe = Request::builder()
        .uri("/health/live")
        .header("host", "10.0.0.7:8080");
    assert_eq!(call(probe, Body::empty()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_the_framework_refuses_should_be_a_problem_too() {
    assert_eq!(
        problem_of(request("GET", "/nowhere"), Body::empty()).await.1.code,
        ErrorCode::NotFound
    );
    let (headers, problem) = problem_of(request("PUT", "/ok"), Body::empty()).await;
    assert_eq!(problem.code, ErrorCode::MethodNotAllowed);
    assert!(headers.contains_key(header::ALLOW), "a 405 says what is allowed");
}

#[tokio::test]
async fn panic_and_silence_should_be_answered() {
    assert_eq!(
        problem_of(request("GET", "/boom"), Body::empty()).await.1.code,
        ErrorCode::Internal
    );
    let (_, problem) = problem_of(request("GET", "/slow"), Body::empty()).await;
    assert_eq!((problem.code, problem.retryable), (ErrorCode::Timeout, true));
}

#[tokio::test]
async fn answers_with_their_own_body_should_be_left_alone() {
    let (status, _, body) = call(request("GET", "/unready"), Body::empty()).await;
    assert_eq!(
        (status, body.as_slice()),
        (StatusCode::SERVICE_UNAVAILABLE, b"\"not yet\"".as_slice())
    );
}

#[tokio::test]
async fn bodies_should_be_checked_before_they_are_read() {
    let json = || request("POST", "/body").header("content-type", "application/json; charset=utf-8");
    let large = problem_of(json(), Body::from(vec![b' '; 10 * 1024 * 1024]))
        .await
        .1;
    assert_eq!(large.code, ErrorCode::BodyTooLarge);
    let plain = problem_of(
        request("POST", "/body").header("content-type", "text/plain"),
        Body::from("{}"),
    )
    .await
    .1;
    assert_eq!(
        (plain.code, plain.errors[0].field.as_str()),
        (ErrorCode::UnsupportedMediaType, "Content-Type")
    );
    let empty = problem_of(request("POST", "/body"), Body::empty()).await.1;
    assert_eq!(
        (empty.code, empty.errors[0].pointer.as_deref()),
        (ErrorCode::MissingField, Some("/name"))
    );
    assert_eq!(call(json(), Body::from("{\"name\":\"x\"}")).await.2, b"x");
}

#[tokio::test]
async fn span_begun_outside_should_be_the_one_that_events_name() {
    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const OWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";
    let asked = || request("GET", "/trace").header("traceparent", CALLER);
    let (_, _, continued) = call(asked(), Body::empty()).await;
    assert_ne!(
        continued,
        CALLER.as_bytes(),
        "without an exporter a child is made up"
    );
    let (_, _, begun) = call(asked().extension(trace::Begun(OWN.into())), Body::empty()).await;
    assert_eq!(begun, OWN.as_bytes());
}
