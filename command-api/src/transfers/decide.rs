//! Deciding on a transfer as it was read: approve, deny, cancel.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use vaultstream_client::Reason;
use vaultstream_domain::transfer::{ChangeTransfer, TransferCommand};
use vaultstream_event_schemas::TransferId;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::preconditions::required_if_match;
use vaultstream_gateway::resource::{self, TransferSources, not_found, path_id};
use vaultstream_gateway::{ApiError, JsonBody};

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;
use crate::text;

type Answer = Result<Response, ApiError>;
type Site = State<Arc<Services>>;

pub(super) async fn approve(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Reason>,
) -> Answer {
    text::reason(body)?;
    let command = TransferCommand::Approve { now: services.now() };
    run(&services, &asked, &id, &headers, command).await
}

pub(super) async fn deny(
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
        TransferCommand::Deny {
            reason: text::reason(body)?,
        },
    )
    .await
}

pub(super) async fn cancel(
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
        TransferCommand::Cancel {
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
    command: TransferCommand,
) -> Answer {
    let transfer: TransferId = path_id(id)?;
    let organization = asked.principal()?.organization;
    if services.registry.entry(transfer.shard()).is_none() {
        return Err(not_found());
    }
    let first = services
        .log()
        .read_stream(transfer.into(), 0, 1)
        .await?
        .into_iter()
        .next();
    let first = first
        .filter(|e| e.envelope.organization == organization)
        .ok_or_else(not_found)?;
    let vault = first.envelope.owner.vault().ok_or_else(not_found)?;
    let expected = required_if_match(headers)?.version();
    let command_id = Intent::unclaimed(services).command;
    let use_case = ChangeTransfer {
        transfer,
        organization,
        vault,
        expected,
        command,
    };
    let committed = services.execute(asked, command_id, use_case).await?;
    let sources = TransferSources {
        log: services.log(),
        keyring: &*services.parts.keyring,
        catalogue: &services.parts.catalogue,
        heads: &*services.parts.heads,
    };
    let token = services.token(&committed.positions);
    let mut body = resource::transfer(sources, transfer, organization).await?;
    body.token = Some(token.clone());
    let head = Head {
        command: Some(command_id),
        token: Some(&token),
        version: Some(body.version),
        ..Head::default()
    };
    answer(&head, &body)
}
