//! `Prefer: wait` (RFC 7240): how long the client would rather wait than hear of something half done.
//!
//! Names are read in any case, in any of several fields, beside other preferences and with parameters; the first `wait`
//! counts. What is not a number of seconds is no preference of ours, and is ignored as the RFC asks.

use std::fmt;

use http::HeaderMap;

/// The longest wait, in seconds.
const MAX_SECONDS: u64 = 30;

/// A wait that is granted; its text is that of `Preference-Applied`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    seconds: u64,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wait={}", self.seconds)
    }
}

impl Wait {
    /// What a request prefers; `None` when it prefers an answer now.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let fields = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
        let mut waits = fields.flat_map(|field| split(field, ',')).filter_map(wait);
        waits.next().flatten()
    }

    /// In milliseconds; none at all without a preference.
    pub fn ms(wait: Option<Self>) -> u64 {
        wait.map_or(0, |wait| wait.seconds * 1_000)
    }
}

/// `None` for another preference, and a wait without a meaning for one whose value is no number of seconds.
fn wait(preference: &str) -> Option<Option<Wait>> {
    let first = split(preference, ';').next().unwrap_or("");
    let (name, value) = first
        .split_once('=')
        .map_or((first, None), |(name, value)| (name, Some(value)));
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    let value = value.map(str::trim).map(|v| v.trim_matches('"').trim());
    let seconds = match value {
        // A preference without a value and one with an empty value are the same.
        None | Some("") => Some(MAX_SECONDS),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            // More digits than a number has are more than the most.
            Some(digits.parse().map_or(MAX_SECONDS, |s: u64| s.min(MAX_SECONDS)))
        }
        Some(_) => None,
    };
    Some(seconds.map(|seconds| Wait { seconds }))
}

/// The parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match c {
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => return true,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn read(fields: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(HeaderName::from_static("prefer"), HeaderValue::from_static(field));
        }
        Wait::of(&headers).map(|wait| wait.seconds)
    }

    #[test]
    fn wait_should_be_read_in_every_form_of_the_rfc_and_bounded() {
        for (field, seconds) in [
            ("wait=5", 5),
            ("Wait=5", 5),
            ("WAIT = 5", 5),
            ("wait=\"7\"", 7),
            ("respond-async, wait=10", 10),
            ("respond-async,wait=10;foo=bar", 10),
            ("note=\"a, wait=1; b\\\"\", wait=2", 2),
            ("return=minimal; x=wait, wait=0", 0),
            ("wait", 30),
            ("Wait; foo", 30),
            ("wait=\"\"", 30),
            ("wait=9999", 30),
            ("wait=99999999999999999999999", 30),
            ("wait=3, wait=20", 3),
        ] {
            assert_eq!(read(&[field]), Some(seconds), "{field}");
        }
        assert_eq!(read(&["respond-async", "wait=4"]), Some(4), "in a second field");
    }

    #[test]
    fn what_is_no_wait_should_hold_nothing() {
        for field in [
            "",
            "respond-async",
            "waiting=5",
            "wait=-1",
            "wait=1.5",
            "wait=soon",
            "wait=x, wait=5",
            "note=\"wait=5\"",
        ] {
            assert_eq!(read(&[field]), None, "{field}");
        }
        assert_eq!((read(&[]), Wait::ms(None)), (None, 0));
    }

    #[test]
    fn granted_wait_should_be_said_back() {
        let wait = Wait { seconds: 5 };
        assert_eq!(
            (wait.to_string(), Wait::ms(Some(wait))),
            ("wait=5".to_owned(), 5_000)
        );
    }
}
