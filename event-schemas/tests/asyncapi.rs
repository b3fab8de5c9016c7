//! `docs/asyncapi.yaml` against the mapper: it is what the code makes, and what the mapper gives has its shape.
#![cfg(feature = "schema")]

use std::path::Path;

use serde_json::Value;
use vaultstream_event_schemas::asyncapi;
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, StoredEvent};
use vaultstream_event_schemas::public_event::{public_types, to_public};

fn root(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn committed_document_should_be_the_one_of_the_code() {
    let place = root("../docs/asyncapi.yaml");
    if std::env::var_os("VAULTSTREAM_WRITE").is_some() {
        std::fs::write(&place, asyncapi::yaml()).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(place).unwrap_or_default();
    assert!(
        committed == asyncapi::yaml(),
        "docs/asyncapi.yaml differs from the code: run this test with VAULTSTREAM_WRITE=1"
    );
}

/// Every released payload as the mapper shows it, when it shows it.
fn shown() -> Vec<Value> {
    let envelope = std::fs::read(root("golden/envelope.json")).expect("committed");
    let envelope: Envelope = serde_json::from_slice(&envelope).expect("an envelope");
    let mut shown = Vec::new();
    for entry in std::fs::read_dir(root("golden")).expect("committed") {
        let name = entry
            .expect("readable")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let Some(event_type) = name.strip_suffix(".v1.json") else {
            continue;
        };
        let event = StoredEvent {
            position: 7,
            hlc: Hlc(1_795_000_000_000_000),
            envelope: Envelope {
                event_type: event_type.to_owned(),
                ..envelope.clone()
            },
            payload: std::fs::read(root("golden").join(&name)).expect("committed"),
            previous: GENESIS,
            hash: GENESIS,
        };
        shown.extend(to_public(&event).map(|public| serde_json::to_value(public).expect("JSON")));
    }
    shown
}

#[test]
fn what_the_mapper_gives_should_have_the_documented_shape() {
    let document = asyncapi::document();
    let mut seen: Vec<String> = Vec::new();
    for public in shown() {
        let event_type = public["type"].as_str().expect("text").to_owned();
        let messages = document["components"]["messages"].as_object().expect("messages");
        let message = messages
            .values()
            .find(|message| message["name"] == event_type.as_str());
        let payload = &message.expect("every public type is documented")["payload"];
        if let Err(problem) = fits(&document, payload, &public) {
            panic!("{event_type}: {problem}\n{public:#}");
        }
        let data = public["data"].as_object().expect("an object");
        let documented = &resolve(&document, &payload["allOf"][1]["properties"]["data"])["properties"];
        for field in data.keys() {
            assert!(
                documented.get(field).is_some(),
                "{event_type}.{field} is not documented"
            );
        }
        seen.push(event_type);
    }
    seen.sort();
    assert_eq!(seen, public_types(), "every public type was looked at");
}

#[test]
fn validator_should_find_what_does_not_fit() {
    let document = asyncapi::document();
    let message = &document["components"]["messages"]["TransferRequested"]["payload"];
    let good = shown()
        .into_iter()
        .find(|event| event["type"] == "transfer.requested")
        .expect("committed");
    for (pointer, bad) in [
        ("/type", Value::from("transfer.denied")),
        ("/position", Value::from(0)),
        ("/organizationId", Value::from("vlt_1")),
        ("/data/account", Value::from(1)),
        ("/data/amount", Value::from("01")),
        ("/data", Value::from("x")),
    ] {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("it is there") = bad;
        assert!(fits(&document, message, &event).is_err(), "{pointer}");
    }
    let mut less = good;
    less["data"].as_object_mut().expect("an object").remove("amount");
    assert!(fits(&document, message, &less).is_err());
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => schema,
    }
}

/// The part of JSON Schema that the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(document, schema);
    let list = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    for part in list("allOf") {
        fits(document, &part, value)?;
    }
    for key in ["anyOf", "oneOf"] {
        let parts = list(key);
        if !parts.is_empty() && !parts.iter().any(|part| fits(document, part, value).is_ok()) {
            return Err(format!("{value} is none of {key}"));
        }
    }
    let kinds: Vec<String> = match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(|k| k.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_kind(kind, value)) {
        return Err(format!("{value} is no {kinds:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value)
        || !(list("enum").is_empty() || list("enum").contains(value))
    {
        return Err(format!("{value} is not allowed"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        matches(pattern, text)?;
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64())
        && number < least
    {
        return Err(format!("{number} is below {least}"));
    }
    if let Some(map) = value.as_object() {
        for needed in list("required") {
            let needed = needed.as_str().unwrap_or_default();
            if !map.contains_key(needed) {
                return Err(format!("{needed} is missing"));
            }
        }
        for (name, part) in map {
            match schema["properties"].get(name) {
                Some(schema) => fits(document, schema, part).map_err(|e| format!("{name}: {e}"))?,
                None if schema["additionalProperties"] == false => return Err(format!("{name} is unknown")),
                None => {}
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item)?;
    }
    Ok(())
}

fn is_kind(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("{other} is not known to this test"),
    }
}

/// The patterns of the document without an engine for them: their fixed beginning, and the amounts' rule.
fn matches(pattern: &str, text: &str) -> Result<(), String> {
    let fixed: String = pattern
        .trim_start_matches('^')
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let amount = pattern.starts_with("^(0|[1-9]");
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if !text.starts_with(&fixed) || (amount && (leading_zero || !text.bytes().all(|b| b.is_ascii_digit()))) {
        return Err(format!("`{text}` does not match {pattern}"));
    }
    Ok(())
}
