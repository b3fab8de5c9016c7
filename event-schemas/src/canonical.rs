//! The canonical form: RFC 8785 JSON, with integers over 2^53 as strings.
//!
//! Payloads and envelopes are declared with their fields in canonical (alphabetical) order, so that serialising
//! once gives canonical bytes; [`to_bytes`] asserts this in debug builds and the golden files prove it for every
//! payload. Refuses: floats, maps with keys that are not sorted, numbers beyond 2^53.

use serde::Serialize;
use serde_json::Value;

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Serialising failed.
    #[error("the value cannot be written as JSON")]
    Serialize(#[source] serde_json::Error),
    /// A number that JSON readers do not agree on.
    #[error("number {0} is no integer within 2^53; write it as a string")]
    Number(String),
}

/// The canonical bytes of a value whose fields are declared in canonical order.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let bytes = serde_json::to_vec(value).map_err(CanonicalError::Serialize)?;
    debug_assert!(
        is_canonical(&bytes),
        "not canonical: {}",
        String::from_utf8_lossy(&bytes)
    );
    Ok(bytes)
}

/// Whether bytes are the canonical form of the JSON they hold.
pub fn is_canonical(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes)
        .ok()
        .and_then(|value| canonicalize(&value).ok())
        .is_some_and(|canonical| canonical == bytes)
}

/// Writes any JSON value in canonical form: keys sorted by UTF-16 code units, no white space, integers only.
pub fn canonicalize(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Number(n) => {
            let within = n.as_i64().is_some_and(|i| i.unsigned_abs() <= 1 << 53);
            if !within {
                return Err(CanonicalError::Number(n.to_string()));
            }
            out.extend_from_slice(n.to_string().as_bytes());
        }
        Value::String(s) => write_text(s, out)?,
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_text(key, out)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    serde_json::to_writer(out, text).map_err(CanonicalError::Serialize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-(1i64 << 53)..(1i64 << 53)).prop_map(Value::from),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_form_should_agree_with_an_independent_writer(value in any_json()) {
            let ours = canonicalize(&value).expect("integers only");
            let theirs = serde_json_canonicalizer::to_vec(&value).expect("canonical");
            prop_assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
            prop_assert!(is_canonical(&ours));
        }
    }

    #[test]
    fn canonical_form_should_refuse_what_readers_disagree_on() {
        assert!(canonicalize(&json!(1.5)).is_err());
        assert!(canonicalize(&json!(9_007_199_254_740_993u64)).is_err());
        assert!(!is_canonical(br#"{"b":1,"a":2}"#));
        assert!(!is_canonical(br#"{"a": 1}"#));
        assert!(!is_canonical(b"not json"));
    }
}
