//! Which form of an answer a client takes: a page, lines, or a stream.

use http::{HeaderMap, header};

/// The media types of the forms that are not the usual one.
pub const EVENT_STREAM: &str = "text/event-stream";
/// One event a line.
pub const JSON_LINES: &str = "application/jsonl";
/// The same under an older name.
pub const NDJSON: &str = "application/x-ndjson";

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"items":[…],"nextCursor":…,"cursor":…}`.
    Page,
    /// One event a line, under this media type.
    Lines(&'static str),
    /// Server-sent events, without an end.
    Stream,
}

impl Form {
    /// The first of our forms that `Accept` names; a page when it names none.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter();
        let named = values.filter_map(|value| value.to_str().ok());
        let types = named.flat_map(|value| value.split(','));
        types
            .filter_map(|one| match one.split(';').next().unwrap_or("").trim() {
                EVENT_STREAM => Some(Self::Stream),
                JSON_LINES => Some(Self::Lines(JSON_LINES)),
                NDJSON => Some(Self::Lines(NDJSON)),
                "application/json" => Some(Self::Page),
                _ => None,
            })
            .next()
            .unwrap_or(Self::Page)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn form(accept: &'static str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Form::accepted(&headers)
    }

    #[test]
    fn form_should_be_the_first_that_is_ours() {
        assert_eq!(Form::accepted(&HeaderMap::new()), Form::Page);
        assert_eq!(form("*/*"), Form::Page);
        assert_eq!(form("text/event-stream"), Form::Stream);
        assert_eq!(
            form("text/html, application/jsonl;q=0.9"),
            Form::Lines(JSON_LINES)
        );
        assert_eq!(form("application/x-ndjson"), Form::Lines(NDJSON));
        assert_eq!(form("application/json, text/event-stream"), Form::Page);
    }
}
