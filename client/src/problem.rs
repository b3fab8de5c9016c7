//! Why a request was refused, as RFC 9457 problem+json.

use vaultstream_event_schemas::ErrorCode;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

answers! {
    /// A refusal.
    Problem {
        /// The page that explains the code, relative to the installation.
        #[serde(rename = "type")]
        kind: String,
        /// What happened, in few words; the same for every problem of this code.
        title: String,
        /// The HTTP status.
        status: u16,
        /// The stable code.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "insufficient-funds"))]
        code: ErrorCode,
        /// What happened this time.
        detail: String,
        /// What to do.
        remedy: String,
        /// The id of the request, for support.
        request_id: String,
        /// The trace the request belongs to, W3C trace id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_id: Option<String>,
        /// Whether the same request may succeed later.
        retryable: bool,
        /// The fields that led to the refusal.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<FieldProblem>,
    }

    /// One field that led to a refusal.
    FieldProblem {
        /// The field in the API's words, such as `amount`, `chains/0` or the header `If-Match`.
        field: String,
        /// The field as a JSON pointer into the body; absent for headers, the path and the query.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pointer: Option<String>,
        /// The stable code.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invalid-amount"))]
        code: ErrorCode,
        /// What is wrong with it.
        detail: String,
    }
}
