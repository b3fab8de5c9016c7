//! One request over the whole way, as a collector sees it: HTTP → log → relay and Kafka → projector → subscriber, each in
//! a process of its own role, and each linked to the request.

use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::collector::{Collector, Taken, hex};
use crate::product::{PATIENCE, Product, until};

/// What follows from a request, and the role that does it.
const WORK: [(&str, &str); 4] = [
    ("log.append", "command-api,query-api"),
    ("relay.publish", "relay"),
    ("projector.apply", "projectors"),
    ("hub.hand_out", "command-api,query-api"),
];

/// Configuration of a process that hands every span to a collector.
pub fn config(collector: &Collector) -> String {
    format!(
        "\n[telemetry]\notlp_endpoint = \"{}\"\nsample_ratio = 1.0\n",
        collector.endpoint
    )
}

/// Somebody who hears the public events of the organization.
pub struct Subscriber(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Subscriber {
    /// Somebody who hears every public event.
    pub async fn of(product: &Product) -> Result<Self> {
        let mut subscriber = Self::to(product, "subscription { events { event { type } } }").await?;
        // The answer to a ping proves that the subscription before it was taken.
        subscriber.say(json!({ "type": "ping" })).await?;
        subscriber.hear("pong").await?;
        Ok(subscriber)
    }

    /// Somebody who hears what a query asks for.
    pub async fn to(product: &Product, query: &str) -> Result<Self> {
        let url = product.base.replacen("http", "ws", 1);
        let mut request = format!("{url}/graphql/ws").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        headers.insert("authorization", format!("Bearer {}", product.key).parse()?);
        let (socket, _) = connect_async(request).await?;
        let mut subscriber = Self(socket);
        subscriber.say(json!({ "type": "connection_init" })).await?;
        subscriber.hear("connection_ack").await?;
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": query } });
        subscriber.say(subscribe).await?;
        Ok(subscriber)
    }

    async fn say(&mut self, message: Value) -> Result<()> {
        Ok(self.0.send(Message::Text(message.to_string().into())).await?)
    }

    /// The next item.
    pub async fn next(&mut self) -> Result<Value> {
        self.hear("next").await
    }

    async fn hear(&mut self, kind: &str) -> Result<Value> {
        let heard = async {
            loop {
                if let Message::Text(text) = self.0.next().await.context("the socket ended")?? {
                    let message: Value = serde_json::from_str(&text)?;
                    if message["type"] == kind {
                        return anyhow::Ok(message);
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard)
            .await
            .with_context(|| format!("no {kind}"))?
    }

    /// Waits for an event of a type.
    pub async fn event(&mut self, wanted: &str) -> Result<()> {
        loop {
            let heard = self.hear("next").await?;
            if heard["payload"]["data"]["events"]["event"]["type"] == wanted {
                return Ok(());
            }
        }
    }
}

/// Checks that all that followed from the only transfer that was requested is linked to its request.
pub async fn should_link_the_whole_way(collector: &Collector) -> Result<()> {
    let request = until("the request's span", || async {
        Ok(collector.named("POST /v1/transfers").pop())
    })
    .await?;
    ensure!(
        collector.named("POST /v1/transfers").len() == 1,
        "one request was made"
    );
    let role = request.resource("vaultstream.role");
    ensure!(role == "command-api,query-api", "the door is {role}");
    for (work, role) in WORK {
        let caused = |taken: &Taken| {
            let links = &taken.span.links;
            taken.resource("vaultstream.role") == role
                && links
                    .iter()
                    .any(|l| l.trace_id == request.span.trace_id && l.span_id == request.span.span_id)
        };
        let found = until(
            &format!("a span {work} of {role} with a link to the request"),
            || async { Ok(collector.named(work).into_iter().find(|taken| caused(taken))) },
        )
        .await?;
        ensure!(
            found.span.trace_id != request.span.trace_id && found.span.parent_span_id.is_empty(),
            "{work} is a trace of its own: {} under {}",
            hex(&found.span.trace_id),
            hex(&found.span.parent_span_id)
        );
    }
    Ok(())
}
