//! `/health/live`, `/health/ready` and `/metrics`: for whoever runs the product.
//!
//! Live says that the process answers. Ready says that the log answers and that no view lags more than its bound; a
//! chain whose node is away is named but does not make the product unready, because everything else works meanwhile.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use vaultstream_infra_telemetry::Metrics;
use vaultstream_query_api::{Services, freshness};

/// Views may be this far behind and still count as ready.
const MAX_LAG_MS: u64 = 10_000;

/// What the endpoints read.
#[derive(Clone)]
pub struct Health {
    /// The query side.
    pub services: Services,
    /// The metrics.
    pub metrics: Metrics,
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

async fn ready(State(health): State<Health>) -> Response {
    let now = health.services.clock.now().as_micros();
    let chains: Vec<_> = health
        .services
        .chains
        .iter()
        .map(|chain| match health.services.head(&chain.id) {
            Some(seen) => json!({
                "chain": chain.id, "height": seen.head.tip.at.height, "finalized": seen.head.finalized.height,
                "ageMs": now.saturating_sub(seen.seen_at.as_micros()) / 1000,
            }),
            None => json!({ "chain": chain.id, "height": null }),
        })
        .collect();
    match freshness::measure(&health.services).await {
        Ok(lag) if lag.lag_ms() <= MAX_LAG_MS => {
            Json(json!({ "status": "ready", "views": lag.views, "chains": chains })).into_response()
        }
        Ok(lag) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "behind", "lagMs": lag.lag_ms(), "views": lag.views, "chains": chains })),
        )
            .into_response(),
        Err(refusal) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "unavailable", "detail": refusal.detail, "chains": chains })),
        )
            .into_response(),
    }
}

async fn metrics(State(health): State<Health>) -> Response {
    let now = health.services.clock.now().as_micros();
    if let Ok(lag) = freshness::measure(&health.services).await {
        for view in &lag.views {
            let quarantined = usize::try_from(view.quarantined).unwrap_or(usize::MAX);
            health.metrics.view(
                view.view,
                &view.family,
                view.behind(),
                view.lag_ms * 1000,
                quarantined,
            );
        }
    }
    for chain in health.services.chains.iter() {
        if let Some(seen) = health.services.head(&chain.id) {
            let age = u64::try_from(now.saturating_sub(seen.seen_at.as_micros())).unwrap_or(0);
            let head = &seen.head;
            health.metrics.chain(
                chain.slug.as_str(),
                head.tip.at.height,
                head.finalized.height,
                age,
            );
        }
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.metrics.text()).into_response()
}
