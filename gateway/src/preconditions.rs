//! ETags: what a client has seen, and what it insists on.
//!
//! A tag is `"<version>"`, the count of the resource's own events. Where an answer also shows things that change without
//! those events (a transfer's executions, a vault's accounts), the tag is `"<version>.<digest of the answer>"`: `If-Match`
//! looks at the version alone, `If-None-Match` at the whole.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use vaultstream_event_schemas::ErrorCode;

use crate::error::{ApiError, In};

/// What `If-Match` insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any version, as long as the resource exists.
    Any,
    /// Just this version.
    Version(u64),
}

impl Expected {
    /// For use cases: the version, when one is insisted on.
    pub const fn version(self) -> Option<u64> {
        match self {
            Self::Any => None,
            Self::Version(v) => Some(v),
        }
    }
}

/// Reads `If-Match`; `None` when there is none. Refuses several tags, weak tags and other texts.
pub fn if_match(headers: &HeaderMap) -> Result<Option<Expected>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(Some(Expected::Any));
    }
    let tag = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let version = tag.and_then(|t| t.split('.').next()).and_then(|t| t.parse().ok());
    version.map(|v| Some(Expected::Version(v))).ok_or_else(|| {
        let detail = "send one ETag as it was given, such as \"3\", or *";
        ApiError::field(ErrorCode::InvalidField, In::Request, "If-Match", detail)
    })
}

/// Reads `If-Match` where an operation insists on one.
pub fn required_if_match(headers: &HeaderMap) -> Result<Expected, ApiError> {
    if_match(headers)?.ok_or_else(|| {
        ApiError::field(
            ErrorCode::PreconditionRequired,
            In::Request,
            "If-Match",
            "If-Match is missing",
        )
    })
}

/// Whether a tag stands for the version alone or for the whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The answer is a function of the version.
    Version(u64),
    /// The answer shows more than this version's events.
    Whole(u64),
}

/// A resource as a JSON answer with its ETag; 304 when the client has it already.
pub fn tagged<T: Serialize>(headers: &HeaderMap, tag: Tag, body: &T) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(body).map_err(|e| ApiError::new(ErrorCode::Internal).caused_by(e))?;
    let tag = match tag {
        Tag::Version(version) => format!("\"{version}\""),
        Tag::Whole(version) => format!("\"{version}.{}\"", hex::encode(&Sha256::digest(&bytes)[..6])),
    };
    let seen = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let known = seen
        .flat_map(|v| v.split(','))
        .any(|t| t.trim().trim_start_matches("W/") == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            bytes,
        )
            .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("ascii"))])
    }

    #[test]
    fn if_match_should_take_our_tags_only() {
        let read = |text| if_match(&with(header::IF_MATCH, text));
        assert_eq!(read("\"3\"").ok(), Some(Some(Expected::Version(3))));
        assert_eq!(read("\"3.00ff00ff00ff\"").ok(), Some(Some(Expected::Version(3))));
        assert_eq!(read("*").ok(), Some(Some(Expected::Any)));
        for bad in ["3", "W/\"3\"", "\"3\", \"4\"", "\"\"", "\"x\"", ""] {
            assert_eq!(
                read(bad).map_err(|e| e.code()),
                Err(ErrorCode::InvalidField),
                "{bad}"
            );
        }
        assert_eq!(if_match(&HeaderMap::new()).ok(), Some(None));
        assert_eq!(
            required_if_match(&HeaderMap::new()).map_err(|e| e.code()),
            Err(ErrorCode::PreconditionRequired)
        );
    }

    #[test]
    fn seen_answers_should_not_be_sent_again() {
        let tag_of = |r: &Response| r.headers()[header::ETAG].to_str().expect("ascii").to_owned();
        let first = tagged(&HeaderMap::new(), Tag::Whole(3), &"a").expect("json");
        let again = tagged(&with(header::IF_NONE_MATCH, &tag_of(&first)), Tag::Whole(3), &"a").expect("json");
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let changed =
            tagged(&with(header::IF_NONE_MATCH, &tag_of(&first)), Tag::Whole(3), &"b").expect("json");
        assert_eq!(
            changed.status(),
            StatusCode::OK,
            "the same version with other executions is another answer"
        );
        let plain = tagged(
            &with(header::IF_NONE_MATCH, "\"1\", W/\"2\""),
            Tag::Version(2),
            &"c",
        )
        .expect("json");
        assert_eq!(
            (plain.status(), tag_of(&plain).as_str()),
            (StatusCode::NOT_MODIFIED, "\"2\"")
        );
    }
}
