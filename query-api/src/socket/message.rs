//! The messages of `graphql-transport-ws`.

use async_graphql::{Response, ServerError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::Asked;

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Heard {
    /// The first message.
    ConnectionInit {
        /// May carry `authorization: "Bearer <key>"` for clients that cannot set headers.
        #[serde(default)]
        payload: Option<Value>,
    },
    /// Starts an operation.
    Subscribe {
        /// Names it on this socket.
        id: String,
        /// What is asked.
        payload: Asked,
    },
    /// Ends an operation.
    Complete {
        /// Which.
        id: String,
    },
    /// Asks for a sign of life.
    Ping {},
    /// Gives one.
    Pong {},
}

impl Heard {
    /// Reads a text frame.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The key in the payload of the first message.
    pub fn key(payload: Option<&Value>) -> Option<&str> {
        let payload = payload?.as_object()?;
        let named = payload
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        named.and_then(|(_, value)| value.as_str())
    }
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said<'a> {
    /// The introduction was taken.
    ConnectionAck,
    /// An item.
    Next {
        /// Of which operation.
        id: &'a str,
        /// The item.
        payload: &'a Response,
    },
    /// The operation ended with errors.
    Error {
        /// Which.
        id: &'a str,
        /// Why.
        payload: &'a [ServerError],
    },
    /// The operation ended.
    Complete {
        /// Which.
        id: &'a str,
    },
    /// The sign of life that was asked for.
    Pong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_should_read_as_the_protocol_writes_them() {
        let heard = Heard::read(r#"{"type":"connection_init","payload":{"Authorization":"Bearer k"}}"#);
        match heard.expect("reads") {
            Heard::ConnectionInit { payload } => assert_eq!(Heard::key(payload.as_ref()), Some("Bearer k")),
            _ => panic!("another message"),
        }
        assert!(matches!(
            Heard::read(r#"{"type":"connection_init"}"#),
            Ok(Heard::ConnectionInit { payload: None })
        ));
        assert!(matches!(
            Heard::read(r#"{"type":"ping","payload":{}}"#),
            Ok(Heard::Ping {})
        ));
        let subscribe = r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":null}}"#;
        assert!(matches!(Heard::read(subscribe), Ok(Heard::Subscribe { id, .. }) if id == "1"));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"type":"start"}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":""}}"#,
        ] {
            assert!(Heard::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_should_be_written_as_the_protocol_reads_them() {
        let text = |said: &Said<'_>| serde_json::to_string(said).expect("writes");
        assert_eq!(text(&Said::ConnectionAck), r#"{"type":"connection_ack"}"#);
        assert_eq!(
            text(&Said::Complete { id: "a" }),
            r#"{"type":"complete","id":"a"}"#
        );
        let item = Response::new(async_graphql::Value::Null);
        assert_eq!(
            text(&Said::Next {
                id: "a",
                payload: &item
            }),
            r#"{"type":"next","id":"a","payload":{"data":null}}"#
        );
    }
}
