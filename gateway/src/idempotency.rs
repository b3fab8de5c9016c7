//! Idempotency keys: the name a client gives to one intent, and the fingerprint of what it asked for.
//!
//! A key counts per organization, per API key (a session counts as the key it acts as) and per operation. The fingerprint
//! is taken of the request as it was understood, so that white space and the order of fields make no other request.

use http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use vaultstream_event_schemas::ErrorCode;

use crate::error::{ApiError, In};
use crate::operation::{Idempotency, Operation};
use crate::principal::Principal;

/// The header.
pub const HEADER: &str = "Idempotency-Key";
const MAX_LENGTH: usize = 255;

/// The key of a request, as its operation wants it.
pub fn key<'a>(operation: &Operation, headers: &'a HeaderMap) -> Result<Option<&'a str>, ApiError> {
    let field = |code, detail: &str| ApiError::field(code, In::Request, HEADER, detail);
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return match operation.idempotency {
            Idempotency::Required => Err(field(ErrorCode::IdempotencyKeyRequired, "the header is missing")),
            _ => Ok(None),
        };
    };
    if operation.idempotency == Idempotency::None {
        let detail =
            "this operation takes no key: its answer cannot be repeated or it has its effect once anyway";
        return Err(field(ErrorCode::IdempotencyKeyInvalid, detail));
    }
    match value.to_str() {
        Ok(text) if values.next().is_none() && is_key(text) => Ok(Some(text)),
        _ => Err(field(
            ErrorCode::IdempotencyKeyInvalid,
            "use 1 to 255 visible ASCII characters, once",
        )),
    }
}

fn is_key(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a claim is made of: who, which operation, which key. Parts cannot run together, because none has a space.
pub fn claim_value(principal: &Principal, operation: &Operation, key: &str) -> String {
    format!("{} {} {key}", principal.key, operation.id)
}

/// SHA-256 of a request as it was understood, lower-case hex. `target` is the id in the path, when there is one.
pub fn fingerprint<T: Serialize>(
    operation: &Operation,
    target: &str,
    request: &T,
) -> Result<String, ApiError> {
    let body = serde_json::to_vec(request).map_err(|e| ApiError::new(ErrorCode::Internal).caused_by(e))?;
    let mut hash = Sha256::new();
    for part in [operation.id.as_bytes(), target.as_bytes(), &body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::operations;

    fn operation(id: &str) -> &'static Operation {
        operations::find(id).expect("in the table")
    }

    fn with(value: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            "idempotency-key",
            HeaderValue::from_bytes(value).expect("a header"),
        );
        headers
    }

    #[test]
    fn key_should_be_asked_for_where_money_moves() {
        let code = |id, headers: &HeaderMap| key(operation(id), headers).map(|_| ()).map_err(|e| e.code());
        assert_eq!(
            code("requestTransfer", &HeaderMap::new()),
            Err(ErrorCode::IdempotencyKeyRequired)
        );
        assert_eq!(code("createVault", &HeaderMap::new()), Ok(()));
        assert_eq!(
            code("issueApiKey", &with(b"a")),
            Err(ErrorCode::IdempotencyKeyInvalid)
        );
        assert_eq!(code("requestTransfer", &with("k".repeat(255).as_bytes())), Ok(()));
        for bad in [
            "k".repeat(256).into_bytes(),
            b"".to_vec(),
            b"a b".to_vec(),
            b"\xe9".to_vec(),
        ] {
            assert_eq!(
                code("requestTransfer", &with(&bad)),
                Err(ErrorCode::IdempotencyKeyInvalid)
            );
        }
        let mut twice = with(b"a");
        twice.append("idempotency-key", HeaderValue::from_static("b"));
        assert_eq!(
            code("requestTransfer", &twice),
            Err(ErrorCode::IdempotencyKeyInvalid)
        );
    }

    #[test]
    fn fingerprint_should_see_meaning_not_spelling() {
        let read = |text| crate::json::parse::<vaultstream_client::RequestTransfer>(text).expect("valid");
        let a = read(br#"{"asset":"a","amount":"1","destination":"d"}"#);
        let b = read(br#" { "destination": "d", "amount":"1", "memo":null, "asset":"\u0061" } "#);
        let c = read(br#"{"asset":"a","amount":"2","destination":"d"}"#);
        let print = |r| fingerprint(operation("requestTransfer"), "", r).expect("json");
        assert_eq!(print(&a), print(&b));
        assert_ne!(print(&a), print(&c));
        let other = fingerprint(operation("createVault"), "", &a).expect("json");
        assert_ne!(
            print(&a),
            other,
            "the same key on another operation is another intent"
        );
    }
}
