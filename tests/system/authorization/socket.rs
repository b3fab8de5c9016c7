//! A subscription's first word: an item, or the code it was refused with.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::who::Credential;
use super::world::World;
use crate::product::PATIENCE;

/// An open socket; each question on it has a number.
pub struct Socket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u32,
}

impl Socket {
    /// Opens one; none when it is refused, before or after it was introduced.
    pub async fn open(world: &World, who: &Credential) -> Result<Option<Self>> {
        let address = world.product.base.replacen("http", "ws", 1);
        let mut request = format!("{address}/graphql/ws").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        for (name, value) in who.headers() {
            headers.insert(name, value.parse()?);
        }
        let Ok((socket, _)) = connect_async(request).await else {
            return Ok(None);
        };
        let mut socket = Self { socket, asked: 0 };
        socket.say(&json!({ "type": "connection_init" })).await?;
        match socket.hear().await? {
            None => Ok(None),
            Some(word) => {
                ensure!(word["type"] == "connection_ack", "{word}");
                Ok(Some(socket))
            }
        }
    }

    async fn say(&mut self, word: &Value) -> Result<()> {
        Ok(self.socket.send(Message::Text(word.to_string().into())).await?)
    }

    /// The next word; none when the server closed.
    async fn hear(&mut self) -> Result<Option<Value>> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.context("the socket says nothing")? {
                None | Some(Ok(Message::Close(_)) | Err(_)) => return Ok(None),
                Some(Ok(Message::Text(text))) => return Ok(Some(serde_json::from_str(&text)?)),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Subscribes and answers the first item or the errors, as a query would be answered.
    pub async fn first(&mut self, document: &str) -> Result<Value> {
        self.asked += 1;
        let id = self.asked.to_string();
        let subscribe = json!({ "type": "subscribe", "id": id, "payload": { "query": document } });
        self.say(&subscribe).await?;
        loop {
            let word = self.hear().await?.context("closed before an item")?;
            if word["id"] != id.as_str() {
                continue;
            }
            let answer = match word["type"].as_str() {
                Some("next") => word["payload"].clone(),
                Some("error") => json!({ "errors": word["payload"] }),
                _ => bail!("{document}: {word}"),
            };
            self.say(&json!({ "type": "complete", "id": id })).await?;
            // What a socket may say in a second is limited; a test that knows no hurry stays below.
            tokio::time::sleep(Duration::from_millis(25)).await;
            return Ok(answer);
        }
    }
}
