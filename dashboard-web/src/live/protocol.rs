//! The messages of graphql-transport-ws, as far as a browser needs them.

use crate::trouble::GraphqlError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The subprotocol's name.
pub const NAME: &str = "graphql-transport-ws";
/// The path it is served on.
pub const PATH: &str = "/graphql/ws";
/// The close code for a session that is over.
pub const UNAUTHORIZED: u16 = 4401;
/// The close code for a session that may not connect.
pub const FORBIDDEN: u16 = 4403;

/// A message of the server.
#[derive(Debug)]
pub enum Incoming {
    /// It is ready for subscriptions.
    Ack,
    /// It wants a sign of life.
    Ping,
    /// It gave one.
    Pong,
    /// An item of a subscription.
    Next(u32, Box<RawValue>),
    /// A subscription ended with errors.
    Error(u32, Vec<GraphqlError>),
    /// A subscription ended.
    Complete(u32),
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payload: Option<Box<RawValue>>,
}

/// Reads a message; `None` for what no server of ours sends.
pub fn read(text: &str) -> Option<Incoming> {
    let wire: Wire = serde_json::from_str(text).ok()?;
    let id = || wire.id.as_deref().and_then(|id| id.parse().ok());
    Some(match wire.kind.as_str() {
        "connection_ack" => Incoming::Ack,
        "ping" => Incoming::Ping,
        "pong" => Incoming::Pong,
        "next" => Incoming::Next(id()?, wire.payload?),
        "error" => Incoming::Error(id()?, serde_json::from_str(wire.payload?.get()).ok()?),
        "complete" => Incoming::Complete(id()?),
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Item {
    data: Option<Box<RawValue>>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

/// The data of an item; `None` when it carries errors or another shape.
pub fn item<D: serde::de::DeserializeOwned>(payload: &str) -> Option<D> {
    serde_json::from_str(data(payload)?.get()).ok()
}

fn data(payload: &str) -> Option<Box<RawValue>> {
    let item: Item = serde_json::from_str(payload).ok()?;
    item.data.filter(|_| item.errors.is_empty())
}

#[derive(Serialize)]
struct Out<'a, P> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

#[derive(Serialize)]
struct Asked<'a> {
    query: &'a str,
    #[serde(rename = "operationName")]
    operation: &'a str,
    variables: &'a RawValue,
}

fn text<P: Serialize>(kind: &str, id: Option<u32>, payload: Option<P>) -> String {
    let out = Out {
        kind,
        id: id.map(|id| id.to_string()),
        payload,
    };
    serde_json::to_string(&out).unwrap_or_default()
}

/// The first message; it carries no credential, the cookie does.
pub fn init() -> String {
    text::<()>("connection_init", None, None)
}
/// A sign of life.
pub fn ping() -> String {
    text::<()>("ping", None, None)
}
/// The answer to one.
pub fn pong() -> String {
    text::<()>("pong", None, None)
}
/// Ends a subscription.
pub fn complete(id: u32) -> String {
    text::<()>("complete", Some(id), None)
}
/// Begins a subscription. `variables` is a JSON object.
pub fn subscribe(id: u32, query: &str, operation: &str, variables: &str) -> String {
    let object = RawValue::from_string(variables.to_owned());
    let variables = object.as_deref().unwrap_or(RawValue::NULL);
    let asked = Asked {
        query,
        operation,
        variables,
    };
    text("subscribe", Some(id), Some(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_should_have_the_protocols_form() {
        assert_eq!(init(), r#"{"type":"connection_init"}"#);
        assert_eq!(complete(3), r#"{"type":"complete","id":"3"}"#);
        assert_eq!(
            subscribe(1, "subscription X { x }", "X", r#"{"a":1}"#),
            r#"{"type":"subscribe","id":"1","payload":{"query":"subscription X { x }","operationName":"X","variables":{"a":1}}}"#
        );
    }

    #[test]
    fn answers_should_be_read_and_noise_dropped() {
        assert!(matches!(
            read(r#"{"type":"connection_ack","payload":{}}"#),
            Some(Incoming::Ack)
        ));
        let next = read(r#"{"type":"next","id":"7","payload":{"data":{"x":1}}}"#);
        assert!(matches!(next, Some(Incoming::Next(7, p)) if p.get() == r#"{"data":{"x":1}}"#));
        let error = read(
            r#"{"type":"error","id":"7","payload":[{"message":"m","extensions":{"code":"overloaded","after":"c"}}]}"#,
        );
        assert!(
            matches!(error, Some(Incoming::Error(7, e)) if e[0].extensions.after.as_deref() == Some("c"))
        );
        for noise in [
            "",
            "[]",
            "{}",
            r#"{"type":"next","id":"x","payload":1}"#,
            r#"{"type":"hello"}"#,
        ] {
            assert!(read(noise).is_none(), "{noise}");
        }
    }

    #[test]
    fn items_with_errors_should_not_count() {
        #[derive(Deserialize)]
        struct D {
            x: u8,
        }
        assert_eq!(item::<D>(r#"{"data":{"x":4}}"#).map(|d| d.x), Some(4));
        assert!(item::<D>(r#"{"data":{"x":4},"errors":[{"message":"m"}]}"#).is_none());
        assert!(item::<D>(r#"{"data":null}"#).is_none());
    }
}
