//! From commit to subscriber: 1,000 new transfers a second go into the log, and a GraphQL subscriber over a real WebSocket notes
//! when each arrives. The clock of an event starts when its append was answered; views are folded in between.

mod side;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::line::BenchLine;
use crate::load;
use crate::tenant::Tenant;
use side::Side;

const EVENTS_PER_SECOND: u32 = 1_000;
const SECONDS: u32 = 10;
/// Events of one append: one every five milliseconds.
const TOGETHER: u32 = 5;
/// Three seconds: processes that have just started make tables, connect and grow before they are quick.
const WARM_UP: u32 = 3_000;
const TARGET_MS: f64 = 10.0;
/// What subscribers ask for.
pub const QUERY: &str =
    "subscription { events(types: [\"transfer.requested\"]) { cursor event { id type position } } }";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Measures; the files lie in cargo's directory for such things, which is on a disk.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let directory =
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    let side = Side::start(directory.path()).await?;
    let mut tenant = Tenant::found(side.log(), 1).await?;
    let p99_ms = from_commit(&side.address().to_string(), &mut tenant).await?;
    out.push(BenchLine::at_most(
        "commit to GraphQL subscriber, 1,000 events/s, p99",
        p99_ms,
        "ms",
        TARGET_MS,
    ));
    Ok(())
}

/// The 99th percentile, in milliseconds, from the answer of an append to a subscriber of whoever answers there.
pub async fn from_commit(address: &str, tenant: &mut Tenant) -> Result<f64> {
    let key = tenant.key().await?;
    let socket = open(address, &key).await?;
    let total = WARM_UP + EVENTS_PER_SECOND * SECONDS;
    let committed: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let (notes, listening) = (Arc::clone(&committed), tokio::spawn(listen(socket, total)));
    write(tenant, &notes, total).await?;
    let arrived = tokio::time::timeout(Duration::from_secs(30), listening)
        .await
        .context("items are missing")???;
    let committed = committed.lock().unwrap_or_else(PoisonError::into_inner);
    let mut latencies = load::histogram()?;
    for (id, at) in arrived.iter().skip(usize::try_from(WARM_UP)?) {
        let since = committed
            .get(id)
            .with_context(|| format!("{id} was never written"))?;
        latencies.saturating_record(u64::try_from(at.saturating_duration_since(*since).as_micros())?);
    }
    Ok(load::p99_ms(&latencies))
}

async fn open(address: &str, key: &str) -> Result<Socket> {
    let mut request = format!("ws://{address}/graphql/ws").into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {key}").parse()?);
    let (mut socket, _) = connect_async(request).await?;
    let text = |message: Value| Message::Text(message.to_string().into());
    socket.send(text(json!({ "type": "connection_init" }))).await?;
    ensure!(hear(&mut socket).await?["type"] == "connection_ack", "not let in");
    let payload = json!({ "query": QUERY });
    socket
        .send(text(
            json!({ "type": "subscribe", "id": "1", "payload": payload }),
        ))
        .await?;
    // the answer to a ping proves that the subscription before it was taken
    socket.send(text(json!({ "type": "ping" }))).await?;
    ensure!(hear(&mut socket).await?["type"] == "pong", "no pong");
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(socket)
}

async fn hear(socket: &mut Socket) -> Result<Value> {
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => bail!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// Notes when each event arrives; checks that positions come in order without a repetition.
async fn listen(mut socket: Socket, total: u32) -> Result<Vec<(String, Instant)>> {
    let mut arrived = Vec::with_capacity(usize::try_from(total)?);
    let mut last = 0;
    while arrived.len() < usize::try_from(total)? {
        let said = hear(&mut socket).await?;
        let at = Instant::now();
        let event = &said["payload"]["data"]["events"]["event"];
        let id = event["id"]
            .as_str()
            .with_context(|| format!("no event: {said}"))?
            .to_owned();
        let position = event["position"].as_u64().context("no position")?;
        ensure!(position > last, "position {position} after {last}");
        last = position;
        arrived.push((id, at));
    }
    Ok(arrived)
}

async fn write(tenant: &mut Tenant, notes: &Mutex<HashMap<String, Instant>>, total: u32) -> Result<()> {
    let mut every = tokio::time::interval(Duration::from_secs(1) * TOGETHER / EVENTS_PER_SECOND);
    for _ in 0..total / TOGETHER {
        every.tick().await;
        let ids = tenant.request_now(TOGETHER).await?;
        let now = Instant::now();
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.extend(ids.into_iter().map(|id| (id, now)));
    }
    Ok(())
}
