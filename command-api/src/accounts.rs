//! Accounts: label, freeze, unfreeze.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use vaultstream_client::{ChangeAccount as ChangeBody, Reason};
use vaultstream_domain::vault::{AccountCommand, ChangeAccount};
use vaultstream_event_schemas::AccountId;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::preconditions::{Expected, if_match};
use vaultstream_gateway::resource::{self, not_found, owned, path_id};
use vaultstream_gateway::{ApiError, JsonBody, Routes};

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;
use crate::text;

type Answer = Result<Response, ApiError>;
type Site = State<Arc<Services>>;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("changeAccount", label)
        .on("freezeAccount", freeze)
        .on("unfreezeAccount", unfreeze)
}

async fn label(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Answer {
    run(
        &services,
        &asked,
        &id,
        &headers,
        AccountCommand::Label { label: body.label },
    )
    .await
}

async fn freeze(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Reason>,
) -> Answer {
    run(
        &services,
        &asked,
        &id,
        &headers,
        AccountCommand::Freeze {
            reason: text::reason(body)?,
        },
    )
    .await
}

async fn unfreeze(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Reason>,
) -> Answer {
    run(
        &services,
        &asked,
        &id,
        &headers,
        AccountCommand::Unfreeze {
            reason: text::reason(body)?,
        },
    )
    .await
}

async fn run(
    services: &Services,
    asked: &Asked,
    id: &str,
    headers: &HeaderMap,
    command: AccountCommand,
) -> Answer {
    let account: AccountId = path_id(id)?;
    let organization = asked.principal()?.organization;
    let known = owned(services.log(), account, organization).await?;
    let vault = known.owner.vault().ok_or_else(not_found)?;
    let expected = if_match(headers)?.and_then(Expected::version);
    let command_id = Intent::unclaimed(services).command;
    let use_case = ChangeAccount {
        account,
        organization,
        vault,
        expected,
        command,
    };
    let committed = services.execute(asked, command_id, use_case).await?;
    let known = owned(services.log(), account, organization).await?;
    let token = services.token(&committed.positions);
    let mut body = resource::account(&known, &services.parts.catalogue)?;
    body.token = Some(token.clone());
    let head = Head {
        command: Some(command_id),
        token: Some(&token),
        version: Some(known.version),
        ..Head::default()
    };
    answer(&head, &body)
}
