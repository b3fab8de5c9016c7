//! The AsyncAPI 3.0 description of the public topics, as committed in `docs/asyncapi.yaml`.
//!
//! It is made from the mapper's own list and the payloads' own schemas, so that it cannot promise what the mapper does
//! not give. YAML comes from a writer of its own: every string is quoted, so there is nothing to guess for a reader.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::public_event::{PUBLIC, camel};

const INTRODUCTION: &str = "Events of the custody platform for integrators. \
Each family of shards has a topic of its own: `core` for organizations, keys, sessions and vaults, `audit`, and one for each chain, \
named by its slug. A record's value is one public event as JSON, its key the vault that owns the event, or else the organization.\n\n\
A partition is a shard, and partitions are never added. Within a partition records come in the order of `position`. \
Positions have gaps, because not every event is public, and records may repeat after a failure: keep the last position \
of each partition with your own effects and drop what is not beyond it. When the header `incarnation` grows, the platform was restored \
from a backup: positions behind the one you know may then name other events, so read your state again over the API. \
Records stay for as long as the operator set; what is older is answered by the API and its subscriptions (`after`).\n\n\
New event types and new fields may appear at any time; a type or field that is here stays.";

/// The document.
pub fn document() -> Value {
    let schemas = payload_schemas();
    let mut definitions = Map::new();
    let mut messages = Map::new();
    for (stored, public, fields) in PUBLIC {
        let (title, data) = data_of(schemas.get(*stored), fields, &mut definitions);
        let name = message_name(public);
        definitions.insert(format!("{name}Data"), data);
        let own = json!({ "type": { "const": public }, "data": reference(&format!("{name}Data")) });
        messages.insert(
            name,
            json!({
                "name": public,
                "summary": title,
                "contentType": "application/json",
                "headers": reference("Headers"),
                "payload": { "allOf": [reference("PublicEvent"), { "type": "object", "properties": own }] },
            }),
        );
    }
    definitions.insert("Headers".into(), headers());
    definitions.insert("PublicEvent".into(), public_event());
    let listed: Map<String, Value> = messages
        .keys()
        .map(|name| {
            (
                name.clone(),
                json!({ "$ref": format!("#/components/messages/{name}") }),
            )
        })
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": { "title": "Vaultstream public events", "version": "1.0.0", "description": INTRODUCTION },
        "defaultContentType": "application/json",
        "channels": { "publicEvents": {
            "address": "{prefix}.public.{family}",
            "title": "Public events of one family of shards",
            "parameters": {
                "prefix": { "description": "What the operator's topics begin with.", "default": "vaultstream" },
                "family": { "description": "`core`, `audit`, or the slug of a chain." },
            },
            "messages": listed,
            "bindings": { "kafka": { "bindingVersion": "0.5.0" } },
        } },
        "operations": { "receivePublicEvents": {
            "action": "receive",
            "summary": "Follow what happens.",
            "channel": { "$ref": "#/channels/publicEvents" },
            "bindings": { "kafka": { "bindingVersion": "0.5.0" } },
        } },
        "components": { "messages": messages, "schemas": definitions },
    })
}

/// The document as YAML.
pub fn yaml() -> String {
    let mut out = String::from("# Made from the code: event-schemas/src/asyncapi.rs. Its test compares.\n");
    write_map(&document(), 0, &mut out);
    out
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn payload_schemas() -> BTreeMap<String, Value> {
    let parse = |(file, text): (String, String)| {
        let name = file.trim_end_matches(".json").rsplit_once(".v")?.0.to_owned();
        Some((name, serde_json::from_str(&text).ok()?))
    };
    crate::schema::all().into_iter().filter_map(parse).collect()
}

/// What a payload is about and the schema of the fields that pass; its definitions go into `definitions`.
fn data_of(
    payload: Option<&Value>,
    fields: &[&str],
    definitions: &mut Map<String, Value>,
) -> (String, Value) {
    let empty = Map::new();
    let part = |key: &str| payload.and_then(|p| p.get(key));
    let title = part("description").and_then(Value::as_str).unwrap_or_default();
    let all = part("properties").and_then(Value::as_object).unwrap_or(&empty);
    let properties: Map<String, Value> = all
        .iter()
        .filter(|(name, _)| fields.contains(&name.as_str()))
        .map(|(name, schema)| (camel(name), moved(schema)))
        .collect();
    // A field that is empty is given as null; all of them are always there.
    let required: Vec<_> = properties.keys().cloned().collect();
    let text = Value::from(properties.clone()).to_string();
    take_definitions(
        &text,
        part("$defs").and_then(Value::as_object).unwrap_or(&empty),
        definitions,
    );
    let data = json!({ "type": "object", "properties": properties, "required": required });
    (title.to_owned(), data)
}

/// Copies the definitions that a text refers to, and those that they refer to.
fn take_definitions(text: &str, from: &Map<String, Value>, into: &mut Map<String, Value>) {
    for (name, schema) in from {
        if text.contains(&format!("\"#/components/schemas/{name}\"")) && !into.contains_key(name) {
            let schema = moved(schema);
            let inner = schema.to_string();
            into.insert(name.clone(), schema);
            take_definitions(&inner, from, into);
        }
    }
}

/// A schema with its references pointing into this document.
fn moved(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), moved(value)))
            .collect(),
        Value::Array(items) => items.iter().map(moved).collect(),
        Value::String(text) => text.replace("#/$defs/", "#/components/schemas/").into(),
        other => other.clone(),
    }
}

/// `transfer.completed` as a name: `TransferCompleted`.
fn message_name(public: &str) -> String {
    public
        .split(['.', '_'])
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect::<String>())
                .unwrap_or_default()
        })
        .collect()
}

fn headers() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "properties": {
            "position": text("The place of the event in its shard, a decimal number."),
            "incarnation": text("The life the shard was in when the record was published, a decimal number."),
            "id": text("As in the value."),
            "type": text("As in the value."),
            "content-type": { "type": "string", "const": "application/json" },
            "traceparent": text("W3C trace context of the request that caused the event, when there was one."),
        },
        "required": ["content-type", "id", "incarnation", "position", "type"],
    })
}

fn public_event() -> Value {
    let text = |pattern: &str, description: &str| json!({ "type": "string", "pattern": pattern, "description": description });
    json!({
        "type": "object",
        "description": "A public event. `type` says which shape `data` has.",
        "properties": {
            "id": text("^[a-z]{2,4}_[0-9a-z]+/[1-9][0-9]*$", "The event's name: unique, and the same on every delivery."),
            "type": text("^[a-z_]+\\.[a-z_]+$", "What happened."),
            "occurredAt": { "type": "string", "format": "date-time", "description": "When it happened." },
            "organizationId": text("^org_", "The tenant."),
            "vaultId": { "type": ["string", "null"], "description": "The vault it belongs to, when a vault owns it." },
            "subjectId": text("^[a-z]{2,4}_", "The id of the thing it is about."),
            "actor": text("^(key|session|system):", "Who caused it."),
            "shard": { "type": "integer", "minimum": 0, "maximum": 65535, "description": "Its shard." },
            "position": { "type": "integer", "minimum": 1, "description": "Its place in the shard." },
            "hlc": { "type": "integer", "minimum": 0, "description": "The shard's clock, in microseconds since 1970." },
            "data": { "type": "object", "description": "What there is to know, by type." },
        },
        "required": ["actor", "data", "hlc", "id", "occurredAt", "organizationId", "position", "shard", "subjectId", "type", "vaultId"],
    })
}

fn write_map(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            // Sorted here: whether serde_json keeps an order depends on what else is in the build.
            for (key, value) in map.iter().collect::<BTreeMap<_, _>>() {
                let _ = write!(out, "{indent}{}:", key_text(key));
                write_after_key(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                if is_nested(item) {
                    // The first line of a nested item stands beside its dash.
                    let mut inner = String::new();
                    write_map(item, depth + 1, &mut inner);
                    let _ = write!(out, "{indent}- {}", inner.trim_start());
                } else {
                    let _ = writeln!(out, "{indent}- {item}");
                }
            }
        }
        scalar => {
            let _ = writeln!(out, "{indent}{scalar}");
        }
    }
}

fn write_after_key(value: &Value, depth: usize, out: &mut String) {
    if is_nested(value) {
        out.push('\n');
        write_map(value, depth + 1, out);
    } else {
        let _ = writeln!(out, " {value}");
    }
}

/// Whether a value takes lines of its own; JSON's scalars and empty containers are YAML as they are.
fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn key_text(key: &str) -> String {
    let plain = key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && key.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}
