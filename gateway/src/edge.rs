//! The edge: what happens to every request before and after all routes.
//!
//! Before: an id, the trace, Host and Origin. After: refusals become problem+json here and nowhere else, panics become
//! refusals, every answer gets the security headers it does not carry already. A request has a time limit; its outcome,
//! if it reached the log, is in the log.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use vaultstream_domain::ports::Ids;
use vaultstream_event_schemas::{ErrorCode, id};

use crate::error::{ApiError, In};
use crate::hosts::Hosts;
use crate::{problem, trace};

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request besides its own headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestInfo {
    /// Names the request in answers and logs.
    pub id: Arc<str>,
    /// Its W3C `traceparent`.
    pub trace: Arc<str>,
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
}

impl RequestInfo {
    /// A request that came from nowhere, for tests of handlers.
    pub fn for_tests(id: &str) -> Self {
        Self {
            id: id.into(),
            trace: trace::continued(None, id::random(1, 1)),
            peer: None,
        }
    }
}

/// How the edge stands.
#[derive(Debug, Clone)]
pub struct EdgeOptions {
    /// Which names and pages are ours.
    pub hosts: Hosts,
    /// How long a request may take. Longer than the longest `Prefer: wait`.
    pub timeout_ms: u64,
    /// CSP hashes (`sha256-…`) of the inline scripts of our pages.
    pub script_hashes: Vec<String>,
    /// Whether clients come by https only; then browsers are told to remember it.
    pub https_only: bool,
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self {
            hosts: Hosts::default(),
            timeout_ms: 40_000,
            script_hashes: Vec::new(),
            https_only: false,
        }
    }
}

/// The edge.
pub struct Edge {
    hosts: Hosts,
    timeout: Duration,
    headers: Vec<(HeaderName, HeaderValue)>,
    ids: Arc<dyn Ids>,
}

impl Edge {
    /// An edge with these options.
    pub fn new(options: &EdgeOptions, ids: Arc<dyn Ids>) -> Arc<Self> {
        Arc::new(Self {
            hosts: options.hosts.clone(),
            timeout: Duration::from_millis(options.timeout_ms),
            headers: security_headers(options),
            ids,
        })
    }

    /// Puts the edge before every route of a whole router; the last thing done to it.
    pub fn wrap(self: Arc<Self>, router: Router) -> Router {
        router.layer(from_fn_with_state(self, stand))
    }

    fn info(&self, request: &Request) -> RequestInfo {
        let text = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
        let fresh = self.ids.next();
        let id = match text(REQUEST_ID) {
            Some(given) if is_request_id(given) => given.into(),
            _ => fresh.simple().to_string().into(),
        };
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|c| c.0.ip());
        RequestInfo {
            id,
            trace: match request.extensions().get::<trace::Begun>() {
                Some(begun) => Arc::clone(&begun.0),
                None => trace::continued(text(HeaderName::from_static("traceparent")), fresh),
            },
            peer,
        }
    }

    fn admit(&self, request: &Request) -> Result<(), ApiError> {
        // Probes come by address; they learn nothing but whether the process lives.
        if request.uri().path().starts_with("/health/") {
            return Ok(());
        }
        let headers = request.headers();
        let host = host_of(headers)
            .or_else(|| request.uri().authority().map(|a| a.as_str()))
            .unwrap_or("");
        if !self.hosts.allows(host) {
            return Err(ApiError::field(
                ErrorCode::HostNotAllowed,
                In::Request,
                "Host",
                format!("got `{host}`"),
            ));
        }
        match headers.get(header::ORIGIN).map(|o| o.to_str().unwrap_or("")) {
            Some(origin) if !self.hosts.allows_origin(origin, host) => Err(ApiError::field(
                ErrorCode::OriginNotAllowed,
                In::Request,
                "Origin",
                format!("got `{origin}`"),
            )),
            _ => Ok(()),
        }
    }

    fn finish(&self, mut response: Response, info: &RequestInfo) -> Response {
        if let Some(error) = refusal(&response) {
            log(&error, info);
            let allow = response.headers_mut().remove(header::ALLOW);
            let mut rendered = problem::response(&error, info);
            let (kept, _) = response.into_parts();
            for (name, value) in &kept.headers {
                if !rendered.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                    rendered.headers_mut().append(name.clone(), value.clone());
                }
            }
            if let Some(allow) = allow {
                rendered.headers_mut().insert(header::ALLOW, allow);
            }
            response = rendered;
        }
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            headers.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if let Ok(id) = HeaderValue::from_str(&info.id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }
}

async fn stand(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let info = edge.info(&request);
    if let Err(error) = edge.admit(&request) {
        return edge.finish(axum::response::IntoResponse::into_response(error), &info);
    }
    request.extensions_mut().insert(info.clone());
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(edge.timeout, run).await {
        Ok(Ok(response)) => response,
        // The panic hook has logged where and why.
        Ok(Err(_)) => axum::response::IntoResponse::into_response(ApiError::new(ErrorCode::Internal)),
        Err(_) => axum::response::IntoResponse::into_response(ApiError::new(ErrorCode::Timeout)),
    };
    edge.finish(response, &info)
}

/// The Host header, when there is one that can be read.
pub(crate) fn host_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|v| v.to_str().ok())
}

fn is_request_id(text: &str) -> bool {
    (8..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The refusal an answer carries, or the one that stands for an answer the framework made by itself.
fn refusal(response: &Response) -> Option<ApiError> {
    if let Some(error) = response.extensions().get::<ApiError>() {
        return Some(error.clone());
    }
    let written = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|t| !t.as_bytes().starts_with(b"text/plain"));
    if written || !(response.status().is_client_error() || response.status().is_server_error()) {
        return None;
    }
    problem::code_of(response.status()).map(ApiError::new)
}

fn log(error: &ApiError, info: &RequestInfo) {
    let (code, request, causes) = (error.code().as_str(), &*info.id, error.causes());
    if error.code().http_status() >= 500 {
        tracing::error!(code, request, causes, "request refused");
    } else {
        tracing::debug!(code, request, causes, "request refused");
    }
}

/// The content security policy of our own pages; `hashes` are those of their inline scripts.
pub fn page_policy(hashes: &[String]) -> String {
    let hashes: String = hashes.iter().map(|hash| format!(" '{hash}'")).collect();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; connect-src 'self'; style-src 'self'; \
         img-src 'self' data:; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'self'"
    )
}

fn security_headers(options: &EdgeOptions) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ),
    ];
    // A hash that is no header text is a mistake in the build; without it the page's own script is refused, loudly.
    if let Ok(policy) = HeaderValue::from_str(&page_policy(&options.script_hashes)) {
        headers.push((header::CONTENT_SECURITY_POLICY, policy));
    }
    if options.https_only {
        let forever = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.push((header::STRICT_TRANSPORT_SECURITY, forever));
    }
    headers
}

#[cfg(test)]
mod tests;
