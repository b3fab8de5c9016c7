//! `/health/live`, `/health/ready` and `/metrics`: for whoever runs the product.
//!
//! Live says that the process answers. Ready says that the log answers, that no view read here and no shard relayed here
//! lags more than its bound, and that the process is not about to stop; a chain whose node is away is named but does not make the product
//! unready, because everything else works meanwhile. So does a log that is behind its mark: reads go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::{Clock, EventLog, Progress};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::chain::ChainSettings;
use vaultstream_kernel::mark::Standing;
use vaultstream_kernel::relay::{self, RelayLag};
use vaultstream_kernel::{Executor, FairLeases, MarkStanding, NewestCheckpoint, Waiting};
use vaultstream_projectors::Reads;
use vaultstream_query_api::freshness::{self, Lag};
use vaultstream_query_api::hub::Hub;
use vaultstream_query_api::services::Heads as ChainHeads;

use crate::gauges;
use crate::observer::Observed;
use crate::parts::sealer;

/// Views may be this far behind and still count as ready.
const MAX_VIEW_LAG_MS: u64 = 10_000;
/// A shard may wait this long for the bus and its relay still counts as ready.
const MAX_RELAY_LAG_MS: u64 = 30_000;

/// What the endpoints read.
#[derive(Clone)]
pub struct Health {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// The views, where this process reads them.
    pub reads: Option<Reads>,
    /// The chains served here.
    pub chains: Arc<[ChainSettings]>,
    /// Where they stand.
    pub chain_heads: watch::Receiver<ChainHeads>,
    /// The subscriptions, where they are served here.
    pub hub: Option<Hub>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What happened here, and the metrics.
    pub observed: Arc<Observed>,
    /// What this process works on.
    pub leases: Arc<FairLeases>,
    /// Whose queue is measured.
    pub executor: Executor,
    /// Where the relay notes how far it is.
    pub progress: Arc<dyn Progress>,
    /// The newest checkpoint.
    pub checkpoint: NewestCheckpoint,
    /// Whether the log holds its mark, where this process looks.
    pub marks: Option<MarkStanding>,
    /// Whether this process relays.
    pub relays: bool,
    /// What waits for the relay.
    pub waiting: Arc<Waiting>,
    /// One measurement at a time.
    pub measuring: Arc<tokio::sync::Mutex<()>>,
    /// Whether the process is about to stop.
    pub draining: watch::Receiver<bool>,
}

/// How the process stands.
pub struct State {
    /// Where the log stands.
    pub heads: BTreeMap<ShardNumber, Head>,
    /// How far views are behind, where some are read.
    pub views: Option<Lag>,
    /// How far the shards relayed here are from the bus.
    pub relay: Vec<RelayLag>,
}

impl State {
    /// Whether nothing lags more than its bound.
    pub fn is_fresh(&self) -> bool {
        let views = self.views.as_ref().map_or(0, Lag::lag_ms);
        views <= MAX_VIEW_LAG_MS && self.relay_lag_ms() <= MAX_RELAY_LAG_MS
    }

    fn relay_lag_ms(&self) -> u64 {
        let ages = self.relay.iter().map(|lag| lag.age_us);
        ages.max().unwrap_or(0) / 1_000
    }

    fn body(&self, chains: &[Value]) -> Value {
        let status = if self.is_fresh() { "ready" } else { "behind" };
        let mut body = json!({ "status": status, "chains": chains });
        if let Some(lag) = &self.views {
            body["lagMs"] = json!(lag.lag_ms());
            body["views"] = json!(lag.views);
        }
        if !self.relay.is_empty() {
            let behind: u64 = self.relay.iter().map(|lag| lag.events).sum();
            body["relay"] = json!({ "behind": behind, "lagMs": self.relay_lag_ms() });
        }
        body
    }
}

/// The routes.
pub fn router(health: Health) -> Router {
    Router::new()
        .route(
            "/health/live",
            get(|| async { Json(json!({ "status": "live" })) }),
        )
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

impl Health {
    /// How the process stands; the error is a sentence.
    pub async fn state(&self) -> Result<State, String> {
        let heads = self.log.heads().await;
        let heads = heads.map_err(|error| Causes(&error).to_string())?;
        let views = match &self.reads {
            Some(reads) => {
                let measured = freshness::measure(self.log.as_ref(), reads, self.clock.now()).await;
                Some(measured.map_err(|refusal| refusal.detail)?)
            }
            None => None,
        };
        let relay = self.relay(&heads).await?;
        Ok(State { heads, views, relay })
    }

    async fn relay(&self, heads: &BTreeMap<ShardNumber, Head>) -> Result<Vec<RelayLag>, String> {
        if !self.relays {
            return Ok(Vec::new());
        }
        let held = heads.keys().copied();
        let held = held.filter(|shard| self.leases.holds(&relay::note(*shard)));
        let measure = relay::Measure {
            log: self.log.as_ref(),
            progress: self.progress.as_ref(),
            waiting: &self.waiting,
            now: self.clock.now(),
        };
        let lags = measure.lag(heads, held.collect::<Vec<_>>()).await;
        lags.map_err(|error| Causes(&error).to_string())
    }

    fn chains(&self) -> Vec<Value> {
        let (now, heads) = (self.clock.now().as_micros(), self.chain_heads.borrow());
        self.chains
            .iter()
            .map(|chain| match heads.get(&chain.id) {
                Some(seen) => json!({
                    "chain": chain.id, "height": seen.head.tip.at.height, "finalized": seen.head.finalized.height,
                    "ageMs": now.saturating_sub(seen.seen_at.as_micros()) / 1000,
                }),
                None => json!({ "chain": chain.id, "height": null }),
            })
            .collect()
    }
}

/// What the sealer of this process says of itself: checkpoints that are refused are told, and stop nobody's work.
fn with_sealer(health: &Health, mut body: Value) -> Value {
    if health.leases.holds(sealer::LEASE) {
        let newest = health.checkpoint.get().map(|newest| newest.name.to_string());
        body["sealer"] = json!({ "status": "sealing", "checkpoint": newest });
        if let Some(why) = health.observed.seal_refused() {
            body["sealer"] = json!({ "status": "refusing", "checkpoint": newest, "detail": why });
        }
    }
    body
}

/// Whether anything is signed, and if not, why.
fn with_signing(health: &Health, mut body: Value) -> Value {
    let Some(marks) = &health.marks else { return body };
    let seen = marks.get();
    let mark = seen.mark.map(|mark| mark.to_string());
    let (status, detail) = match (&seen.standing, seen.unwritten) {
        (Standing::Quarantined(rewound), _) => ("quarantined", Some(rewound.to_string())),
        (Standing::Unknown(why), _) => ("unmarked", Some(why.clone())),
        (Standing::Holds, Some(why)) => ("unmarked", Some(why)),
        (Standing::Holds, None) => ("open", None),
    };
    body["signing"] = json!({ "status": status, "mark": mark });
    if let Some(detail) = detail {
        body["signing"]["detail"] = json!(detail);
    }
    body
}

async fn ready(Shared(health): Shared<Health>) -> Response {
    let (state, chains) = (health.state().await, health.chains());
    let told = |body: Value| with_signing(&health, with_sealer(&health, body));
    let unready = |body: Value| (StatusCode::SERVICE_UNAVAILABLE, Json(told(body))).into_response();
    if *health.draining.borrow() {
        return unready(json!({ "status": "draining" }));
    }
    match state {
        Ok(state) if state.is_fresh() => Json(told(state.body(&chains))).into_response(),
        Ok(state) => unready(state.body(&chains)),
        Err(detail) => unready(json!({ "status": "unavailable", "detail": detail, "chains": chains })),
    }
}

async fn metrics(Shared(health): Shared<Health>) -> Response {
    // Two at once would tell of each other's half-written gauges.
    let _one = health.measuring.lock().await;
    gauges::measure(&health).await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.observed.metrics.text()).into_response()
}
