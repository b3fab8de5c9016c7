//! Headers: credentials, cookies, preconditions, keys of intents, media types, hosts and origins.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use vaultstream_event_schemas::{ApiKeyId, SessionId};
use vaultstream_gateway::hosts::Hosts;
use vaultstream_gateway::preconditions::if_match;
use vaultstream_gateway::{credential, idempotency, json, operations, session_cookie};

use crate::bodies::refused;
use crate::harness::{Target, holds};

#[test]
fn credentials_should_be_read_or_refused() {
    Target::new("credentials").fuzz(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some((id, secret)) = credential::parse::<ApiKeyId>(&text) {
            holds!(secret.text_for(id) == text, "a key has two texts");
            holds!(
                !format!("{secret:?}").contains(&text[text.len() - 43..]),
                "a secret is shown"
            );
        }
        if let Some((id, secret)) = credential::parse::<SessionId>(&text) {
            holds!(secret.text_for(id) == text, "a session has two texts");
        }
        Ok(())
    });
}

#[test]
fn headers_should_be_read_or_refused() {
    let hosts = Hosts::default();
    Target::new("headers").fuzz(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = hosts.allows(&text);
        holds!(
            !hosts.allows_origin(&text, "vault.example") || text.contains("vault.example"),
            "a stranger's page"
        );
        let Ok(value) = HeaderValue::from_bytes(bytes) else {
            return Ok(());
        };
        let mut headers = HeaderMap::new();
        for name in ["cookie", "if-match", "idempotency-key", "content-type"] {
            headers.append(HeaderName::from_static(name), value.clone());
        }
        let _ = session_cookie::read(&headers);
        if let Err(error) = if_match(&headers) {
            refused(&error)?;
        }
        if let Err(error) = json::check_media_type(&headers) {
            refused(&error)?;
        }
        for operation in operations::ALL {
            match idempotency::key(operation, &headers) {
                Ok(key) => holds!(
                    key.is_none_or(|key| (1..=255).contains(&key.len())),
                    "a key of another length"
                ),
                Err(error) => refused(&error)?,
            }
        }
        Ok(())
    });
}
