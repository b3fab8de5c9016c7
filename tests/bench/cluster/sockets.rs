//! 10,000 GraphQL subscribers on one query-api process, one event a second each: how late events are, and what they cost
//! the process; then the same with one in a hundred more that never reads,
//! whose buffers are full before it begins.
//!
//! A hundred organizations have five keys each, and a key twenty sockets, as many as it may. Each organization has an
//! event a second, all spread over the second, and comes from an address of its own, as the door counts strangers.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use vaultstream_domain::ports::EventLog;

use super::Role;
use crate::line::BenchLine;
use crate::load;
use crate::process::cpu;
use crate::subscribe::QUERY;
use crate::tenant::Tenant;

const TENANTS: u32 = 100;
const KEYS: usize = 5;
const SOCKETS_OF_A_KEY: usize = 20;
/// Sockets that are being opened at the same time.
const OPENING: usize = 64;
const WARM: u32 = 3;
const SECONDS: u32 = 10;
/// Subscriptions of a socket that never reads: enough to fill what lies between it and the door.
const UNREAD: usize = 32;
/// Events that fill it before anything is measured.
const FILLING: u32 = 60;
/// The smallest window a socket takes.
const NO_BUFFER: u32 = 2_048;

/// The first address that a tenant comes from: all of 127.0.0.0/8 is this machine.
const HOME: u32 = u32::from_be_bytes([127, 0, 1, 1]);

/// A key and the address it is used from.
type Caller = (String, Ipv4Addr);

type Socket = WebSocketStream<TcpStream>;

/// Measures.
pub async fn run(out: &mut Vec<BenchLine>, door: &Role, log: &Arc<dyn EventLog>) -> Result<()> {
    let mut tenants = Vec::new();
    let (mut readers, mut others) = (Vec::new(), Vec::new());
    for number in 0..TENANTS {
        let mut tenant = Tenant::found(log.clone(), 100 + number).await?;
        let from = Ipv4Addr::from(HOME + number);
        for _ in 0..KEYS {
            let caller = (tenant.key().await?, from);
            readers.extend(std::iter::repeat_n(caller, SOCKETS_OF_A_KEY));
        }
        tenants.push(tenant);
    }
    let mut unheard = Tenant::found(log.clone(), 100 + TENANTS).await?;
    let from = Ipv4Addr::from(HOME + TENANTS);
    for _ in 0..KEYS {
        let caller = (unheard.key().await?, from);
        others.extend(std::iter::repeat_n(caller, SOCKETS_OF_A_KEY));
    }
    let sockets = open_all(&door.address, readers, 1, None).await?;
    ensure!(sockets.len() == 10_000, "{} sockets", sockets.len());
    let (stop, stopped) = watch::channel(false);
    let mut listening = JoinSet::new();
    for socket in sockets {
        listening.spawn(listen(socket, stopped.clone()));
    }
    let mut committed = HashMap::new();
    let pid = door.process.id();
    write(&mut tenants, WARM, &mut committed).await?;
    let alone = Window::open(pid);
    write(&mut tenants, SECONDS, &mut committed).await?;
    let alone = alone.close();
    let deaf = open_all(&door.address, others, UNREAD, Some(NO_BUFFER)).await?;
    for _ in 0..FILLING {
        unheard.request_now(1).await?;
    }
    tenants.push(unheard);
    write(&mut tenants, WARM, &mut committed).await?;
    let beside = Window::open(pid);
    write(&mut tenants, SECONDS, &mut committed).await?;
    let beside = beside.close();
    let resident = door.process.resident_mb()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send_replace(true);
    let mut arrived = Vec::new();
    while let Some(socket) = listening.join_next().await {
        arrived.push(socket??);
    }
    drop(deaf);
    let (alone_ms, beside_ms) = (
        alone.p99_ms(&arrived, &committed)?,
        beside.p99_ms(&arrived, &committed)?,
    );
    out.push(BenchLine::at_most(
        "cluster: commit to 10,000 GraphQL subscribers, 1 event/s each, p99",
        alone_ms,
        "ms",
        250.0,
    ));
    out.push(BenchLine::at_most(
        "cluster: CPU of query-api with 10,000 subscribers",
        alone.cpu_percent,
        "%",
        150.0,
    ));
    out.push(BenchLine::at_most(
        "cluster: query-api resident with 10,000 subscribers",
        resident,
        "MB",
        600.0,
    ));
    out.push(BenchLine::within(
        "cluster: the same p99 beside 100 subscribers that never read, against without them",
        beside_ms,
        "ms",
        alone_ms,
        1.25,
    ));
    Ok(())
}

/// One time that is measured, and what the door took meanwhile.
struct Window {
    pid: u32,
    begun: Instant,
    ended: Instant,
    cpu: Duration,
    cpu_percent: f64,
}

/// What one socket heard: the names of events and when they came.
type Arrived = Vec<(String, Instant)>;

impl Window {
    fn open(pid: u32) -> Self {
        let now = Instant::now();
        Self {
            pid,
            begun: now,
            ended: now,
            cpu: cpu(pid),
            cpu_percent: 0.0,
        }
    }

    fn close(self) -> Self {
        let spent = cpu(self.pid).saturating_sub(self.cpu);
        Self {
            ended: Instant::now(),
            cpu_percent: 100.0 * spent.as_secs_f64() / self.begun.elapsed().as_secs_f64(),
            ..self
        }
    }

    /// Every event of this time must have come to every socket of its organization.
    fn p99_ms(&self, arrived: &[Arrived], committed: &HashMap<String, Instant>) -> Result<f64> {
        let mut latencies = load::histogram()?;
        for (id, at) in arrived.iter().flatten() {
            let since = committed
                .get(id)
                .with_context(|| format!("{id} was never written"))?;
            if (self.begun..self.ended).contains(since) {
                let late = at.saturating_duration_since(*since);
                latencies.saturating_record(u64::try_from(late.as_micros())?);
            }
        }
        let wanted = usize::try_from(TENANTS * SECONDS)? * KEYS * SOCKETS_OF_A_KEY;
        ensure!(
            latencies.len() == u64::try_from(wanted)?,
            "{} of {wanted} items came",
            latencies.len()
        );
        eprintln!(
            "10,000 sockets: {wanted} items, p50 {} µs, p99 {} µs, longest {} µs, CPU {:.0} %",
            latencies.value_at_quantile(0.5),
            latencies.value_at_quantile(0.99),
            latencies.max(),
            self.cpu_percent
        );
        Ok(load::p99_ms(&latencies))
    }
}

/// One event a second of each, spread over the second; notes when each was durable.
async fn write(tenants: &mut [Tenant], seconds: u32, committed: &mut HashMap<String, Instant>) -> Result<()> {
    let mut every = tokio::time::interval(Duration::from_secs(1) / u32::try_from(tenants.len())?);
    for _ in 0..seconds {
        for tenant in &mut *tenants {
            every.tick().await;
            let names = tenant.request_now(1).await?;
            let now = Instant::now();
            committed.extend(names.into_iter().map(|name| (name, now)));
        }
    }
    Ok(())
}

/// A socket for each caller, some at a time.
async fn open_all(
    address: &str,
    callers: Vec<Caller>,
    subscriptions: usize,
    window: Option<u32>,
) -> Result<Vec<Socket>> {
    let begun = Instant::now();
    let opening = callers
        .into_iter()
        .map(|caller| open(address, caller, subscriptions, window));
    let mut opening = futures::stream::iter(opening).buffer_unordered(OPENING);
    let mut sockets = Vec::new();
    while let Some(socket) = opening.next().await {
        sockets.push(socket?);
    }
    eprintln!("{} sockets opened in {:.1?}", sockets.len(), begun.elapsed());
    Ok(sockets)
}

async fn open(
    address: &str,
    (key, from): Caller,
    subscriptions: usize,
    window: Option<u32>,
) -> Result<Socket> {
    let tcp = TcpSocket::new_v4()?;
    tcp.bind((from, 0).into())?;
    if let Some(bytes) = window {
        tcp.set_recv_buffer_size(bytes)?;
    }
    let tcp = tcp.connect(address.parse()?).await?;
    let mut request = format!("ws://{address}/graphql/ws").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    headers.insert("authorization", format!("Bearer {key}").parse()?);
    // Ten thousand of the usual 128 KiB, cleared before every read, would be most of what this program does.
    let small = WebSocketConfig::default().read_buffer_size(4 << 10);
    let (mut socket, _) = client_async_with_config(request, tcp, Some(small)).await?;
    socket.send(text(&json!({ "type": "connection_init" }))).await?;
    hear(&mut socket, "connection_ack").await?;
    for id in 0..subscriptions {
        let payload = json!({ "query": QUERY });
        let subscribe = json!({ "type": "subscribe", "id": id.to_string(), "payload": payload });
        socket.send(text(&subscribe)).await?;
    }
    // The answer to a ping proves that the subscriptions before it were taken.
    socket.send(text(&json!({ "type": "ping" }))).await?;
    hear(&mut socket, "pong").await?;
    Ok(socket)
}

fn text(message: &serde_json::Value) -> Message {
    Message::Text(message.to_string().into())
}

async fn hear(socket: &mut Socket, wanted: &str) -> Result<()> {
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(said) if said.contains(wanted) => return Ok(()),
            // An item of a subscription that was taken already.
            Message::Text(said) if said.contains("\"next\"") => {}
            Message::Ping(_) | Message::Pong(_) => {}
            other => bail!("{wanted} was waited for, not {other:?}"),
        }
    }
}

/// Notes what comes until it is told to stop.
async fn listen(mut socket: Socket, mut stop: watch::Receiver<bool>) -> Result<Arrived> {
    let mut arrived = Vec::new();
    loop {
        let message = tokio::select! {
            _ = stop.changed() => return Ok(arrived),
            message = socket.next() => message.context("the socket ended")??,
        };
        match message {
            Message::Text(said) => arrived.push((name(&said)?.to_owned(), Instant::now())),
            Message::Close(frame) => bail!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// The name of the event in an item; the whole item is not parsed, because ten thousand a second are.
fn name(said: &str) -> Result<&str> {
    let (_, rest) = said
        .split_once("\"event\":{\"id\":\"")
        .with_context(|| format!("no event: {said}"))?;
    let (name, _) = rest.split_once('"').context("a name ends")?;
    Ok(name)
}
