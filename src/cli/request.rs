//! What requests have in common: paths of pages, keys of commands, and what a lost answer means.

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use vaultstream_client::ClientError;
use vaultstream_client::http::With;
use vaultstream_domain::ports::Ids;
use vaultstream_infra_runtime::SystemIds;

use super::Ended;
use super::connection::Ask;

/// The path of a page with these parameters, values escaped.
pub fn page_path(path: &str, limit: u16, parameters: &[(&str, Option<&str>)]) -> String {
    let mut text = format!("{path}?limit={limit}");
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        let _ = write!(text, "&{name}=");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// An Idempotency-Key for a request whose sender named none.
pub fn fresh_key() -> String {
    format!("cli-{}", SystemIds.next())
}

/// A request without an answer may have had its effect: its key must not be lost.
pub fn keyed<T>(answer: Result<T, ClientError>, key: &str) -> Result<T, Ended> {
    answer.map_err(|error| match error {
        ClientError::Refused(problem) if problem.status < 500 => {
            Ended::Answered(ClientError::Refused(problem))
        }
        // Nothing was sent.
        unsent @ (ClientError::Configuration(_) | ClientError::Unreachable(_)) => Ended::Answered(unsent),
        error => Ended::Unclear {
            error,
            idempotency_key: key.to_owned(),
        },
    })
}

/// Posts under the sender's key, or a fresh one; the answer's body.
pub async fn post<B: Serialize + Sync, A: DeserializeOwned>(
    ask: &Ask,
    path: &str,
    body: &B,
    key: Option<String>,
) -> Result<A, Ended> {
    let key = key.unwrap_or_else(fresh_key);
    let with = With {
        idempotency_key: Some(&key),
        ..With::default()
    };
    Ok(keyed(ask.client.post(path, body, with).await, &key)?.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_should_be_escaped_and_absent_ones_left_out() {
        let path = page_path(
            "/v1/transfers",
            5,
            &[("cursor", Some("a&b=c ü")), ("status", None)],
        );
        assert_eq!(path, "/v1/transfers?limit=5&cursor=a%26b%3Dc%20%C3%BC");
    }

    #[test]
    fn lost_answers_should_keep_their_key() {
        let lost = ClientError::Unreadable {
            status: 502,
            source: None,
        };
        let Err(Ended::Unclear { idempotency_key, .. }) = keyed::<()>(Err(lost), "k-1") else {
            panic!("an unclear end");
        };
        assert_eq!(idempotency_key, "k-1");
    }
}
