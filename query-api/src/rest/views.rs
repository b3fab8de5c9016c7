//! Views for operators: how far each is in every family, and what is being rebuilt.
//!
//! Generations and rebuilds are read from the log, positions from the watermarks, quarantines from the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use vaultstream_client::{Page, Rebuild, RebuildStatus, RetryOutcome, View};
use vaultstream_domain::platform::ViewGenerationState;
use vaultstream_gateway::ApiError;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::query::Params;
use vaultstream_projectors::{ReadError, generation_states};

use super::Site;
use super::fresh::refused;

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    asked: Asked,
    uri: Uri,
) -> Result<Json<Page<View>>, ApiError> {
    asked.platform_only(site.platform)?;
    Params::read(asked.operation, &uri)?;
    let (log, reads) = (site.services.log.as_ref(), &site.services.reads);
    let heads = log.heads().await?;
    let mut states = generation_states(log, &log.registry()).await?;
    let mut items = Vec::new();
    let lags = reads.lag(log, &heads, site.services.clock.now()).await;
    for lag in lags.map_err(refused)? {
        let quarantined = match reads.quarantined_in(lag.view, &lag.family).await {
            Ok(parked) => parked.len(),
            // Too many to be read at once: what the projector counted is near enough.
            Err(ReadError::Narrow { .. }) => lag.quarantined,
            Err(error) => return Err(refused(error)),
        };
        let state = states.remove(&(lag.view, lag.family.clone())).unwrap_or_default();
        items.push(View {
            view: lag.view.as_str().to_owned(),
            family: lag.family.to_string(),
            generation: state.active,
            position: lag.position,
            head: lag.head,
            lag_ms: lag.lag_us.div_ceil(1_000),
            per_second: lag.per_second,
            quarantined: u64::try_from(quarantined).unwrap_or(u64::MAX),
            retry: state.retry.clone(),
            last_retry: state
                .retried
                .map(|(healed, parked)| RetryOutcome { healed, parked }),
            rebuild: rebuild(state),
        });
    }
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

fn rebuild(state: ViewGenerationState) -> Option<Rebuild> {
    let (status, generation, reason) = match state {
        ViewGenerationState {
            building: Some(building),
            ..
        } => (
            RebuildStatus::Building,
            Some(building.generation),
            building.reason,
        ),
        ViewGenerationState {
            requested: Some(reason),
            ..
        } => (RebuildStatus::Requested, None, reason),
        ViewGenerationState {
            given_up: Some((generation, reason)),
            ..
        } => (RebuildStatus::Failed, Some(generation), reason),
        _ => return None,
    };
    Some(Rebuild {
        status,
        generation,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;
    use vaultstream_domain::organization::scope;
    use vaultstream_domain::platform::{platform_organization, view_generation_id};
    use vaultstream_domain::ports::EventLog;
    use vaultstream_event_schemas::Family;
    use vaultstream_event_schemas::envelope::Owner;
    use vaultstream_event_schemas::platform::v1::{GenerationAbandoned, GenerationStarted, RebuildRequested};

    use crate::rest::tests::Rest;

    #[tokio::test(flavor = "multi_thread")]
    async fn operator_should_see_every_view_and_what_becomes_of_its_rebuild() {
        let rest = Rest::start().await;
        let all = scope::all();
        let scopes: Vec<_> = all.iter().map(String::as_str).collect();
        let registry = rest.world.history.log.registry();
        let platform = platform_organization(&registry);
        let operator = rest.world.register(platform, &scopes).await;
        let tenant = rest.world.tenant(&scopes).await;
        rest.world.vault(&tenant, "Operations").await;
        rest.world.settled().await;

        let (status, _, refused) = rest.call(&tenant, "/v1/views", None).await;
        assert_eq!(
            (status, refused["code"].as_str()),
            (StatusCode::FORBIDDEN, Some("scope-missing"))
        );
        let listed = rest.get(&operator, "/v1/views").await;
        let views = listed["items"].as_array().expect("a list");
        assert_eq!(
            views.len(),
            8,
            "six views, two of them in both families: {listed}"
        );
        for view in views {
            assert_eq!(
                (&view["generation"], &view["quarantined"], &view["rebuild"]),
                (&json!(1), &json!(0), &json!(null))
            );
            assert_eq!(view["position"], view["head"], "settled: {view}");
        }

        let vaults = view_generation_id(&registry, &Family::Core, "vaults");
        let history = &rest.world.history;
        let asked = RebuildRequested {
            family: "core".into(),
            reason: "damaged".into(),
            view: "vaults".into(),
        };
        history.put(vaults, platform, Owner::Itself, &asked).await;
        let rebuild = || async {
            let listed = rest.get(&operator, "/v1/views").await;
            let views = listed["items"].as_array().expect("a list").clone();
            let found = views.into_iter().find(|v| v["view"] == "vaults");
            found.expect("the view is listed")["rebuild"].clone()
        };
        let shown = json!({ "status": "requested", "generation": null, "reason": "damaged" });
        assert_eq!(rebuild().await, shown);
        let started = GenerationStarted {
            generation: 2,
            reason: "damaged".into(),
            view: "vaults".into(),
        };
        history.put(vaults, platform, Owner::Itself, &started).await;
        let shown = json!({ "status": "building", "generation": 2, "reason": "damaged" });
        assert_eq!(rebuild().await, shown);
        let given_up = GenerationAbandoned {
            generation: 2,
            reason: "another digest".into(),
            view: "vaults".into(),
        };
        history.put(vaults, platform, Owner::Itself, &given_up).await;
        let shown = json!({ "status": "failed", "generation": 2, "reason": "another digest" });
        assert_eq!(rebuild().await, shown);
    }
}
