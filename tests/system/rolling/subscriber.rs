//! A subscriber that goes on wherever it is let in: after each end of its socket it resumes with `after`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::client::Balancer;

/// What a process says that restarts.
const RESTARTS: u16 = 1012;
const QUERY: &str = "subscription($after: String) {
    events(after: $after, types: [\"transfer.requested\"]) { cursor event { id } } }";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the subscriber has heard.
#[derive(Default)]
pub struct Heard {
    events: Mutex<Vec<String>>,
    sockets: AtomicUsize,
}

impl Heard {
    /// Ids of events, in order.
    pub fn events(&self) -> Vec<String> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events.
    pub fn count(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Over how many sockets.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::SeqCst)
    }
}

/// Listens until everything is over and nothing more comes.
pub async fn listen(
    queries: Arc<Balancer>,
    key: String,
    stop: Arc<AtomicBool>,
    heard: Arc<Heard>,
) -> Result<()> {
    let mut after = Value::Null;
    loop {
        let Some(mut socket) = open(&queries, &key).await? else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        heard.sockets.fetch_add(1, Ordering::SeqCst);
        let payload = json!({ "query": QUERY, "variables": { "after": after } });
        say(
            &mut socket,
            json!({ "type": "subscribe", "id": "1", "payload": payload }),
        )
        .await?;
        let code = take(&mut socket, &mut after, &heard).await?;
        ensure!(
            code == RESTARTS || stop.load(Ordering::SeqCst),
            "the socket ended with {code}"
        );
    }
}

/// A socket at the first ready process that takes it; none when none does just now.
async fn open(queries: &Balancer, key: &str) -> Result<Option<Socket>> {
    for base in queries.ready() {
        let mut request = format!("{}/graphql/ws", base.replacen("http", "ws", 1)).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        headers.insert("authorization", format!("Bearer {key}").parse()?);
        let mut socket = match connect_async(request).await {
            Ok((socket, _)) => socket,
            // It does not listen any more, or says that it is about to stop.
            Err(Error::Io(_)) => continue,
            Err(Error::Http(refused)) if refused.status() == 503 => continue,
            Err(error) => return Err(error.into()),
        };
        say(&mut socket, json!({ "type": "connection_init" })).await?;
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => ensure!(text.contains("connection_ack"), "not let in: {text}"),
            other => bail!("not let in: {other:?}"),
        }
        return Ok(Some(socket));
    }
    Ok(None)
}

async fn say(socket: &mut Socket, message: Value) -> Result<()> {
    Ok(socket.send(Message::Text(message.to_string().into())).await?)
}

/// Takes items until the socket is closed; answers with which code.
async fn take(socket: &mut Socket, after: &mut Value, heard: &Heard) -> Result<u16> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let said: Value = serde_json::from_str(&text)?;
                match said["type"].as_str() {
                    Some("next") => {
                        let item = &said["payload"]["data"]["events"];
                        let id = item["event"]["id"].as_str().with_context(|| text.to_string())?;
                        *after = item["cursor"].clone();
                        let mut events = heard.events.lock().unwrap_or_else(PoisonError::into_inner);
                        events.push(id.to_owned());
                    }
                    Some("complete") => {}
                    _ => bail!("{text}"),
                }
            }
            Some(Ok(Message::Close(frame))) => return Ok(frame.map_or(1005, |frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Ok(1006),
        }
    }
}
