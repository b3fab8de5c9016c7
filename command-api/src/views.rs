//! Views: rebuilds, and retries of what is parked, asked for by operators.
//!
//! The request is an event; whoever keeps the views of the family hears it. All named families are asked or none.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use vaultstream_client::{
    Reason, RebuildAccepted, RebuildView, RetryAccepted, RetryView, ViewGeneration as FamilyGeneration,
};
use vaultstream_domain::aggregate::OfState;
use vaultstream_domain::platform::{AskOfView, ViewGeneration, Wish, view_generation_id};
use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::{CommandId, ErrorCode, Family, ViewGenerationId};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::{ApiError, JsonBody, Routes};
use vaultstream_kernel::load_state;

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;
use crate::text;

/// Events of a stream looked at at once.
const PAGE: usize = 500;
/// What is repeated of a name that does not exist.
const MAX_NAMED: usize = 64;

type Store = (ViewGenerationId, Family);

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes.on("rebuildView", rebuild).on("retryView", retry)
}

/// What is asked of a view in some of its families, understood and named by its key.
struct Wanted {
    view: &'static str,
    stores: Vec<Store>,
    intent: Intent,
    reason: String,
    /// Where this very request was written before, if it was.
    before: Option<Positions>,
}

impl Wanted {
    async fn read<B: Serialize>(
        services: &Services,
        (asked, headers): (&Asked, &HeaderMap),
        name: &str,
        (family, reason): (Option<String>, Option<String>),
        body: &B,
    ) -> Result<Self, ApiError> {
        asked.platform_only(services.parts.platform)?;
        let (view, stores) = stores(services, name, family.as_deref())?;
        let intent = Intent::read(services, asked, headers, view, body)?;
        let reason = text::reason(Reason { reason })?;
        let Some((first, _)) = stores.first() else {
            return Err(ApiError::new(ErrorCode::NotFound).detail("no family has a store of this view"));
        };
        let before = match intent.bind(services, asked, first.to_string()).await? {
            true => written(services, *first, intent.command).await?,
            false => None,
        };
        Ok(Self {
            view,
            stores,
            intent,
            reason,
            before,
        })
    }

    /// Asks it, unless that was done before; the token of where it stands.
    async fn ask(&self, services: &Services, asked: &Asked, wish: Wish) -> Result<String, ApiError> {
        if let Some(before) = &self.before {
            return Ok(services.token(before));
        }
        let use_case = AskOfView {
            organization: services.parts.platform,
            wish,
            view: self.view.to_owned(),
            stores: self.stores.clone(),
            reason: self.reason.clone(),
        };
        let done = services.execute(asked, self.intent.command, use_case).await?;
        Ok(services.token(&done.positions))
    }

    fn head<'a>(&self, token: &'a str) -> Head<'a> {
        Head {
            status: StatusCode::ACCEPTED,
            command: Some(self.intent.command),
            token: Some(token),
            location: Some("/v1/views".to_owned()),
            replayed: self.before.is_some(),
            ..Head::default()
        }
    }
}

async fn rebuild(
    State(services): State<Arc<Services>>,
    asked: Asked,
    Path(view): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RebuildView>,
) -> Result<Response, ApiError> {
    let of = (body.family.clone(), body.reason.clone());
    let wanted = Wanted::read(&services, (&asked, &headers), &view, of, &body).await?;
    let token = wanted.ask(&services, &asked, Wish::Rebuild).await?;
    let accepted = RebuildAccepted {
        view: wanted.view.to_owned(),
        families: read_generations(&services, wanted.stores.clone()).await?,
        token: token.clone(),
    };
    answer(&wanted.head(&token), &accepted)
}

async fn retry(
    State(services): State<Arc<Services>>,
    asked: Asked,
    Path(view): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RetryView>,
) -> Result<Response, ApiError> {
    let of = (body.family.clone(), body.reason.clone());
    let wanted = Wanted::read(&services, (&asked, &headers), &view, of, &body).await?;
    let token = wanted.ask(&services, &asked, Wish::Retry).await?;
    let accepted = RetryAccepted {
        view: wanted.view.to_owned(),
        families: wanted
            .stores
            .iter()
            .map(|(_, family)| family.to_string())
            .collect(),
        token: token.clone(),
    };
    answer(&wanted.head(&token), &accepted)
}

/// The view of a name, and the streams of its generations in the named family or in all.
fn stores(
    services: &Services,
    view: &str,
    family: Option<&str>,
) -> Result<(&'static str, Vec<Store>), ApiError> {
    let views = &services.parts.views;
    let Some((view, families)) = views.get_key_value(view) else {
        let known: Vec<_> = views.keys().copied().collect();
        let named: String = view.chars().take(MAX_NAMED).collect();
        let detail = format!("there is no view `{named}`; there are: {}", known.join(", "));
        return Err(ApiError::field(ErrorCode::NotFound, In::Request, "view", detail));
    };
    let mut wanted = families.clone();
    if let Some(family) = family {
        wanted.retain(|known| known.to_string() == family);
        if wanted.is_empty() {
            let known: Vec<_> = families.iter().map(Family::to_string).collect();
            let named: String = family.chars().take(MAX_NAMED).collect();
            let detail = format!(
                "view {view} has no store in family `{named}`; it has one in: {}",
                known.join(", ")
            );
            return Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Body,
                "family",
                detail,
            ));
        }
    }
    let store = |family: Family| (view_generation_id(&services.registry, &family, view), family);
    Ok((view, wanted.into_iter().map(store).collect()))
}

/// Where a command has written to a stream, when it has.
async fn written(
    services: &Services,
    stream: ViewGenerationId,
    command: CommandId,
) -> Result<Option<Positions>, ApiError> {
    let mut after = 0;
    loop {
        let events = services.log().read_stream(stream.into(), after, PAGE).await?;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        after = last.envelope.sequence;
        if let Some(event) = events.iter().find(|event| event.envelope.command == command) {
            let place = services.present(stream.shard(), event.position).await?;
            return Ok(Some(Positions::one(stream.shard(), place)));
        }
    }
}

async fn read_generations(
    services: &Services,
    stores: Vec<Store>,
) -> Result<Vec<FamilyGeneration>, ApiError> {
    let mut read = Vec::new();
    for (stream, family) in stores {
        let state = load_state(services.log(), stream.into()).await?.state;
        read.push(FamilyGeneration {
            family: family.to_string(),
            generation: ViewGeneration::of(&state).map_or(1, |generations| generations.active),
        });
    }
    Ok(read)
}
