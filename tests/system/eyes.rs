//! What the product tells of itself: every metric that `docs/telemetry.md` names is told by whoever does the work, and
//! says what happened.

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::product::{ETHER, Product, Setup, address, until};

/// The committed page.
const PAGE: &str = include_str!("../../docs/telemetry.md");

/// A row of the page's table.
pub struct Documented {
    /// The name as the table has it.
    pub name: String,
    is_histogram: bool,
    /// Who fills it; `all`, or roles.
    roles: Vec<String>,
}

/// Every metric of the page.
pub fn documented() -> Vec<Documented> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `vaultstream_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        Documented {
            name: cells[1].trim_matches('`').to_owned(),
            is_histogram: cells[2] == "histogram",
            roles: cells[4].split(", ").map(str::to_owned).collect(),
        }
    })
    .collect()
}

impl Documented {
    /// Whether a process of these roles fills it.
    pub fn is_of(&self, roles: &str) -> bool {
        self.roles
            .iter()
            .any(|role| role == "all" || roles.split(',').any(|of| of == role))
    }
}

/// What a process told.
pub struct Scrape(String);

impl Scrape {
    /// Asks a process.
    pub async fn of(base: &str) -> Result<Self> {
        let answer = reqwest::get(format!("{base}/metrics")).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        Ok(Self(answer.text().await?))
    }

    /// The sum of a metric's samples that say `label` of themselves; none when there is no such sample.
    #[expect(clippy::float_arithmetic, reason = "metrics are floating-point numbers")]
    pub fn sum(&self, name: &str, label: &str) -> Option<f64> {
        let mut sum = None;
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let Some((sample, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (named, labels) = sample.split_once('{').unwrap_or((sample, ""));
            if named == name && labels.contains(label) {
                sum = Some(sum.unwrap_or(0.0) + value.parse::<f64>().unwrap_or(f64::NAN));
            }
        }
        sum
    }

    /// The documented metrics of these roles that were not told, but for those that begin with one of `absent`.
    pub fn missing(&self, roles: &str, absent: &[&str]) -> Vec<String> {
        let is_told = |one: &Documented| {
            let ending = if one.is_histogram { "_count" } else { "" };
            self.sum(&format!("{}{ending}", one.name), "").is_some()
        };
        let missing = documented().into_iter().filter(|one| {
            one.is_of(roles) && !absent.iter().any(|begin| one.name.starts_with(begin)) && !is_told(one)
        });
        missing.map(|one| one.name).collect()
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn hear(socket: &mut Socket) -> Result<Value> {
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => bail!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// A subscription to everything that happens.
async fn subscribe(product: &Product) -> Result<Socket> {
    let address = product.base.replacen("http", "ws", 1);
    let mut request = format!("{address}/graphql/ws").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    headers.insert("authorization", format!("Bearer {}", product.key).parse()?);
    let (mut socket, _) = connect_async(request).await?;
    let text = |message: Value| Message::Text(message.to_string().into());
    socket.send(text(json!({ "type": "connection_init" }))).await?;
    ensure!(hear(&mut socket).await?["type"] == "connection_ack", "not let in");
    let query = "subscription { events { event { id type } } }";
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": query } });
    socket.send(text(subscribe)).await?;
    // The answer to a ping proves that the subscription before it was taken.
    socket.send(text(json!({ "type": "ping" }))).await?;
    ensure!(hear(&mut socket).await?["type"] == "pong", "no pong");
    Ok(socket)
}

/// Meets a limit at each door: a query that is too much, a body that is too large, a socket that floods.
async fn meet_limits(product: &Product) -> Result<()> {
    let http = reqwest::Client::new();
    let post = |path: &str, body: String| {
        http.post(format!("{}{path}", product.base))
            .bearer_auth(&product.key)
            .header("content-type", "application/json")
            .header("idempotency-key", "too-large")
            .body(body)
            .send()
    };
    let aliases: String = (0..31).map(|i| format!("a{i}: viewer {{ actor }} ")).collect();
    let query = json!({ "query": format!("{{ {aliases} }}") });
    let answer: Value = post("/graphql", query.to_string()).await?.json().await?;
    let code = &answer["errors"][0]["extensions"]["code"];
    ensure!(code == "query-too-complex", "{answer}");
    let large = json!({ "memo": "x".repeat(2_000_000) });
    let answer = post("/v1/transfers", large.to_string()).await?;
    ensure!(answer.status() == 413, "{}", answer.status());
    let mut flood = subscribe(product).await?;
    for _ in 0..200 {
        // It is closed under way.
        let _ = flood.send(Message::Text(r#"{"type":"pong"}"#.into())).await;
    }
    while hear(&mut flood).await.is_ok() {}
    Ok(())
}

/// What an embedded process does not tell here: it has no other bus than its log and exports no spans; its caches have a
/// test of their own.
const NOT_EMBEDDED: [&str; 3] = ["vaultstream_relay_", "vaultstream_spans_", "vaultstream_cache_"];

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_metric_should_be_told_and_say_what_happened() -> Result<()> {
    let product = Setup::new()?.start()?;
    let mut socket = subscribe(&product).await?;
    let from = product.new_vault("Eyes", ETHER).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let id = product.transfer(&from, &to, ETHER / 1_000, "eyes").await?;
    product.completed(&id).await?;
    while hear(&mut socket).await?["payload"]["data"]["events"]["event"]["type"] != "transfer.completed" {}
    meet_limits(&product).await?;

    let missing = Scrape::of(&product.base).await?.missing("all", &[]);
    ensure!(
        missing
            .iter()
            .all(|name| NOT_EMBEDDED.iter().any(|begin| name.starts_with(begin))),
        "{missing:?}"
    );
    let roles = "command-api,query-api,projectors,workflows,watchers";
    let at_least = [
        ("vaultstream_commands_total", "outcome=\"Committed\"", 1.0),
        ("vaultstream_append_seconds_count", "", 1.0),
        ("vaultstream_queue_limit", "queue=\"executor\"", 1.0),
        ("vaultstream_http_requests_total", "route=\"/v1/transfers\"", 1.0),
        ("vaultstream_http_requests_running", "", 1.0),
        ("vaultstream_limit_hits_total", "limit=\"query-too-complex\"", 1.0),
        ("vaultstream_limit_hits_total", "limit=\"body-too-large\"", 1.0),
        ("vaultstream_limit_hits_total", "limit=\"socket-messages\"", 1.0),
        ("vaultstream_sockets", "", 1.0),
        ("vaultstream_projector_events_total", "", 10.0),
        ("vaultstream_projector_rows_total", "", 10.0),
        ("vaultstream_projector_flush_seconds_count", "", 1.0),
        ("vaultstream_hub_subscribers", "", 1.0),
        ("vaultstream_hub_topics", "", 1.0),
        ("vaultstream_hub_items_total", "", 10.0),
        ("vaultstream_hub_delivery_seconds_count", "", 10.0),
        ("vaultstream_bus_records_total", "outcome=\"taken\"", 10.0),
        ("vaultstream_chain_height", "", 1.0),
        ("vaultstream_lease_held", "lease=\"projectors/core\"", 1.0),
        ("vaultstream_lease_held", "lease=\"workflows/core\"", 1.0),
        ("vaultstream_ready", "", 1.0),
    ];
    let at_rest = [
        "vaultstream_view_lag_events",
        "vaultstream_view_lag_seconds",
        "vaultstream_view_quarantined",
        "vaultstream_projector_lag_events",
        "vaultstream_workflow_lag_events",
        "vaultstream_hub_lag_events",
        "vaultstream_chain_node_failures_total",
        "vaultstream_rebuilds_running",
        "vaultstream_queue_entries",
    ];
    until("everything is told, and at rest nothing lags", || async {
        let told = Scrape::of(&product.base).await?;
        ensure!(told.missing(roles, &NOT_EMBEDDED).is_empty());
        for (name, label, least) in at_least {
            let sum = told.sum(name, label).with_context(|| format!("{name} {label}"))?;
            ensure!(sum >= least, "{name} {label} is {sum}");
        }
        let skew = told
            .sum("vaultstream_clock_skew_seconds", "")
            .context("a clock")?;
        ensure!(skew.abs() < 5.0, "one machine has one clock: {skew}");
        let rest = at_rest.iter().map(|name| told.sum(name, "").context(*name));
        let rest: Vec<f64> = rest.collect::<Result<_>>()?;
        Ok(rest.iter().all(|sum| *sum == 0.0).then_some(()))
    })
    .await?;

    drop(socket);
    until("a socket that is gone counts no more", || async {
        let told = Scrape::of(&product.base).await?;
        Ok((told.sum("vaultstream_sockets", "") == Some(0.0)).then_some(()))
    })
    .await
}
