//! The session cookie: a browser's credential, which no script can read and no other site can send.

use http::{HeaderMap, HeaderValue, header};
use vaultstream_client::SESSION_COOKIE;

/// The value of the session cookie, when the request has one.
pub fn read(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
}

/// The header that sets the cookie for `max_age` seconds; 0 takes it away.
pub fn set(value: &str, max_age: u64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{SESSION_COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age}{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_should_be_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("theme=dark; x_vaultstream_session=no"),
        );
        assert_eq!(read(&headers), None);
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=b;  vaultstream_session=ses_1_s ; c=d"),
        );
        assert_eq!(read(&headers), Some("ses_1_s"));
    }

    #[test]
    fn cookie_should_be_locked_down() {
        let plain = set("ses_1_s", 60, false).expect("ascii");
        assert_eq!(
            plain,
            "vaultstream_session=ses_1_s; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"
        );
        let secure = set("ses_1_s", 60, true).expect("ascii");
        assert!(secure.to_str().is_ok_and(|t| t.ends_with("; Secure")));
        assert!(set("a\nb", 1, false).is_none());
    }
}
