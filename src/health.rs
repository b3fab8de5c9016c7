//! `/health/live`, `/health/ready` and `/metrics`: for whoever runs the product.
//!
//! Live says that the process answers. Ready says that the log answers, that no view read here lags more than its bound,
//! and that the process is not about to stop; a chain whose node is away is named but does not make the product
//! unready, because everything else works meanwhile.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::{Clock, EventLog, Progress};
use vaultstream_event_schemas::chain::ChainSettings;
use vaultstream_infra_telemetry::Metrics;
use vaultstream_kernel::Executor;
use vaultstream_projectors::Reads;
use vaultstream_query_api::freshness::{self, Lag};
use vaultstream_query_api::services::Heads;

use crate::gauges;

/// Views may be this far behind and still count as ready.
const MAX_LAG_MS: u64 = 10_000;

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
    pub heads: watch::Receiver<Heads>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Metrics,
    /// Whose queue is measured.
    pub executor: Executor,
    /// Where the relay notes how far it is.
    pub progress: Arc<dyn Progress>,
    /// Whether this process relays.
    pub relays: bool,
    /// Whether the process is about to stop.
    pub draining: watch::Receiver<bool>,
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
    /// How far views are behind; `None` where none are read. The error is a sentence.
    pub async fn lag(&self) -> Result<Option<Lag>, String> {
        match &self.reads {
            Some(reads) => freshness::measure(self.log.as_ref(), reads, self.clock.now())
                .await
                .map(Some)
                .map_err(|refusal| refusal.detail),
            None => match self.log.heads().await {
                Ok(_) => Ok(None),
                Err(error) => Err(Causes(&error).to_string()),
            },
        }
    }

    /// Whether no view lags more than its bound.
    pub fn is_fresh(lag: &Lag) -> bool {
        lag.lag_ms() <= MAX_LAG_MS
    }

    fn chains(&self) -> Vec<Value> {
        let (now, heads) = (self.clock.now().as_micros(), self.heads.borrow());
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

async fn ready(State(health): State<Health>) -> Response {
    let (lag, chains) = (health.lag().await, health.chains());
    let unready = |body: Value| (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response();
    if *health.draining.borrow() {
        return unready(json!({ "status": "draining" }));
    }
    match lag {
        Ok(None) => Json(json!({ "status": "ready", "chains": chains })).into_response(),
        Ok(Some(lag)) if Health::is_fresh(&lag) => {
            Json(json!({ "status": "ready", "views": lag.views, "chains": chains })).into_response()
        }
        Ok(Some(lag)) => unready(
            json!({ "status": "behind", "lagMs": lag.lag_ms(), "views": lag.views, "chains": chains }),
        ),
        Err(detail) => unready(json!({ "status": "unavailable", "detail": detail, "chains": chains })),
    }
}

async fn metrics(State(health): State<Health>) -> Response {
    gauges::measure(&health).await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.metrics.text()).into_response()
}
