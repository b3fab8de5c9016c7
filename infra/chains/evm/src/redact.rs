//! Keeps credentials out of texts: the endpoint's address, its password, key-like path segments and query values.

use url::Url;
use vaultstream_chain_evm::revert::words;

/// Shorter parts of a path are words, not keys.
const KEY_CHARS_MIN: usize = 8;

/// Knows what must not be shown.
#[derive(Clone)]
pub(crate) struct Redactor {
    /// Longest first, so that no rest of a longer one stays.
    secrets: Vec<String>,
}

impl Redactor {
    pub(crate) fn new(url: &Url) -> Self {
        let mut secrets = vec![
            url.as_str().to_owned(),
            url.as_str().trim_end_matches('/').to_owned(),
        ];
        secrets.extend(url.password().map(str::to_owned));
        secrets.extend((url.username().len() >= KEY_CHARS_MIN).then(|| url.username().to_owned()));
        secrets.extend(url.query().map(str::to_owned));
        secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        let segments = url.path_segments().into_iter().flatten();
        secrets.extend(segments.filter(|s| s.len() >= KEY_CHARS_MIN).map(str::to_owned));
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// A foreign text without credentials and control characters, cut to 512 characters.
    pub(crate) fn clean(&self, text: &str) -> String {
        // Cut generously first: a body may be megabytes.
        let mut text: String = text.chars().take(4_096).collect();
        for secret in &self.secrets {
            text = text.replace(secret, "…");
        }
        words(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_should_be_taken_out() {
        let url =
            Url::parse("http://alice:s3cret@node.example:8545/v3/0123456789abcdef?token=qqq").expect("a URL");
        let redactor = Redactor::new(&url);
        for text in [
            url.as_str().to_owned(),
            "cannot reach http://alice:s3cret@node.example:8545/v3/0123456789abcdef?token=qqq".to_owned(),
            "project 0123456789abcdef is over its limit".to_owned(),
            "token=qqq".to_owned(),
            "bad password s3cret".to_owned(),
        ] {
            let clean = redactor.clean(&text);
            for secret in ["s3cret", "0123456789abcdef", "qqq"] {
                assert!(!clean.contains(secret), "{clean}");
            }
        }
        assert_eq!(redactor.clean("nonce too low"), "nonce too low");
        assert_eq!(redactor.clean(&"x".repeat(10_000)).len(), 512);
    }
}
