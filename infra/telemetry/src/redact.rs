//! Replaces what looks like a credential: the last line of defence behind types that do not print themselves.
//!
//! Known forms: an API key or session secret (`key_…_…`, `ses_…_…`), a bearer header, `secret=`, `password=` and
//! `code=` in URLs or key-value text, user and password in a URL.

use std::borrow::Cow;

pub(crate) const MARK: &str = "[redacted]";

/// What ends a word.
const SEPARATORS: [char; 7] = [' ', '\n', '\t', ',', ';', '&', '"'];

/// Names whose value, after `=` or `:`, is never written.
const NAMES: &[&str] = &[
    "secret",
    "password",
    "passphrase",
    "code",
    "token",
    "authorization",
    "cookie",
];

/// The text without credentials. Borrowed when there was nothing to hide.
pub fn redacted(text: &str) -> Cow<'_, str> {
    if !looks_suspicious(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut hide_next = false;
    let mut json_name = false;
    for word in text.split_inclusive(SEPARATORS) {
        let (body, tail) = word.split_at(word.trim_end_matches(SEPARATORS).len());
        let value_of_secret = std::mem::take(&mut json_name) && body.starts_with(':');
        if hide_next && !body.is_empty() {
            out.push_str(MARK);
            hide_next = false;
        } else if value_of_secret {
            out.push(':');
            hide_next = body == ":";
            out.push_str(if hide_next { "" } else { MARK });
        } else if body.eq_ignore_ascii_case("bearer") {
            out.push_str(body);
            hide_next = true;
        } else {
            json_name = tail == "\"" && is_secret_name(body);
            out.push_str(&redacted_word(body));
        }
        out.push_str(tail);
    }
    Cow::Owned(out)
}

/// Whether a name is one whose value is hidden; `code` is not, because error codes are fields of log lines.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name != "code" && NAMES.contains(&name.as_str())
}

fn looks_suspicious(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("key_")
        || lower.contains("ses_")
        || lower.contains("bearer")
        || lower.contains('@')
        || NAMES.iter().any(|n| lower.contains(n))
}

fn redacted_word(word: &str) -> Cow<'_, str> {
    if let Some(prefix) = credential_prefix(word) {
        return Cow::Owned(format!("{prefix}_{MARK}"));
    }
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        return Cow::Owned(format!("{scheme}://{MARK}@{host}"));
    }
    if let Some(at) = word.find(['=', ':']) {
        let name = word[..at]
            .rsplit(['?', '{', '('])
            .next()
            .unwrap_or("")
            .trim_matches('"')
            .to_ascii_lowercase();
        if NAMES.contains(&name.as_str()) && at + 1 < word.len() {
            return Cow::Owned(format!("{}{MARK}", &word[..=at]));
        }
    }
    Cow::Borrowed(word)
}

/// `key_<26>` of `key_<26>_<secret>`, wherever it begins in the word.
fn credential_prefix(word: &str) -> Option<&str> {
    let start = word.find("key_").or_else(|| word.find("ses_"))?;
    let end = start + 4 + 26;
    (word.len() > end + 1 && word.is_char_boundary(end) && word.as_bytes().get(end) == Some(&b'_'))
        .then(|| &word[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "key_0123456789abcdefghjkmnpqrs_c2VjcmV0c2VjcmV0";

    #[test]
    fn credentials_should_never_pass() {
        for text in [
            format!("Authorization: Bearer {KEY}"),
            format!("presented {KEY}, refused"),
            "GET /session/link?code=ses_0123456789abcdefghjkmnpqrs_c2VjcmV0c2VjcmV0".to_owned(),
            "connect https://user:c2VjcmV0c2VjcmV0@node.example/".to_owned(),
            "passphrase=c2VjcmV0c2VjcmV0".to_owned(),
            "\"secret\":c2VjcmV0c2VjcmV0".to_owned(),
            "{\"token\":\"c2VjcmV0c2VjcmV0\",\"level\":\"INFO\"}".to_owned(),
        ] {
            let out = redacted(&text);
            assert!(!out.contains("c2VjcmV0c2VjcmV0"), "{out}");
            assert!(out.contains(MARK), "{out}");
        }
    }

    #[test]
    fn ordinary_text_should_stay() {
        for text in [
            "transfer trf_1 completed",
            "key_0123456789abcdefghjkmnpqrs issued",
            "block 0xabc",
            "{\"code\":\"not-found\",\"level\":\"INFO\"}",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
