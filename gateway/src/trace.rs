//! W3C Trace Context: taken from the request when it is well formed, made when it is not, and handed on as part of
//! every event the request caused.

use std::sync::Arc;

use uuid::Uuid;

/// The `traceparent` of a span that was begun outside the edge for this request: it is taken as it is, so that what the
/// request causes names that span. Put into the request's extensions by whoever exports spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun(pub Arc<str>);

/// Whether a text is a version-00 `traceparent` with ids that are not all zero.
pub fn is_valid(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && (length == 2 || part.bytes().any(|b| b != b'0'))
    };
    let mut parts = text.split('-');
    let fields = [
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ];
    matches!(fields, [Some("00"), Some(trace), Some(span), Some(flags), None]
        if hex(trace, 32) && hex(span, 16) && hex(flags, 2))
}

/// The `traceparent` of this request: a child of the caller's when that is valid, else a new trace. `seed` is fresh.
pub fn continued(incoming: Option<&str>, seed: Uuid) -> Arc<str> {
    let bits = seed.as_u128();
    let span = (bits ^ (bits >> 64)) & u128::from(u64::MAX) | 1;
    match incoming.filter(|text| is_valid(text)) {
        Some(text) => format!("00-{}-{span:016x}-{}", &text[3..35], &text[53..55]).into(),
        None => format!("00-{bits:032x}-{span:016x}-00").into(),
    }
}

/// The trace id of a `traceparent`.
pub fn trace_id(traceparent: &str) -> &str {
    traceparent.get(3..35).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::id;

    use super::*;

    #[test]
    fn trace_should_be_continued_or_begun() {
        let seed = id::random(1_700_000_000_000, 42);
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let child = continued(Some(given), seed);
        assert!(is_valid(&child) && *child != *given);
        assert_eq!(trace_id(&child), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(child.ends_with("-01"), "the sampling decision is the caller's");
        assert!(is_valid(&continued(None, seed)));
    }

    #[test]
    fn malformed_trace_should_be_replaced() {
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "x\u{e9}",
            zero.as_str(),
        ] {
            assert!(!is_valid(bad), "{bad}");
            assert!(is_valid(&continued(Some(bad), id::random(1, 7))));
        }
    }
}
