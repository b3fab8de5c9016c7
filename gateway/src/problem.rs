//! Writing refusals as RFC 9457 problem+json.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use vaultstream_client::Problem;
use vaultstream_client::problem::MEDIA_TYPE;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::error_code::Retry;

use crate::edge::RequestInfo;
use crate::error::ApiError;

/// The problem a refusal reads as, in the context of its request.
pub fn problem(error: &ApiError, request: &RequestInfo) -> Problem {
    let code = error.code();
    Problem {
        kind: code.page(),
        title: code.title().to_owned(),
        status: code.http_status(),
        code,
        detail: error.detail_text().to_owned(),
        remedy: code.remedy().to_owned(),
        request_id: request.id.to_string(),
        trace_id: Some(crate::trace::trace_id(&request.trace).to_owned()),
        retryable: code.retry() == Retry::Later,
        errors: error.fields().to_vec(),
    }
}

/// The answer a refusal becomes.
pub fn response(error: &ApiError, request: &RequestInfo) -> Response {
    let body = serde_json::to_vec(&problem(error, request)).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if error.code() == ErrorCode::Unauthenticated {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"vaultstream\""),
        );
    }
    for (name, value) in error.headers() {
        headers.insert(name.clone(), value.clone());
    }
    // For whoever counts answers; the body is for the caller.
    response.extensions_mut().insert(error.code());
    response
}

/// The code of an answer that the framework made without one of ours, by its status.
pub fn code_of(status: StatusCode) -> Option<ErrorCode> {
    Some(match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::InvalidField,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => ErrorCode::Timeout,
        status if status.is_server_error() => ErrorCode::Internal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_should_become_a_whole_problem() {
        let request = RequestInfo::for_tests("req-1");
        for code in ErrorCode::ALL {
            let response = response(&ApiError::new(*code).retry_after(3), &request);
            assert_eq!(response.status().as_u16(), code.http_status());
            assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
            assert_eq!(response.headers()[header::RETRY_AFTER], "3");
            let problem = problem(&ApiError::new(*code), &request);
            assert_eq!(problem.detail, code.title());
            assert!(!problem.remedy.is_empty());
            assert_eq!(problem.trace_id.as_deref().map(str::len), Some(32));
        }
    }
}
