//! Deciding on a transfer as it was read: approve, deny, cancel.

use axum::response::Response;
use vaultstream_client::Reason;
use vaultstream_domain::transfer::{ChangeTransfer, TransferCommand};
use vaultstream_event_schemas::TransferId;
use vaultstream_gateway::ApiError;
use vaultstream_gateway::preconditions::required_if_match;
use vaultstream_gateway::resource::{self, TransferSources, not_found, path_id};

use crate::aimed::Aimed;
use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::text;

type Answer = Result<Response, ApiError>;

pub(super) async fn approve(request: Aimed<Reason>) -> Answer {
    let (aimed, body) = request.split();
    text::reason(body)?;
    aimed.services.may_sign()?;
    let now = aimed.services.now();
    run(aimed, TransferCommand::Approve { now }).await
}

pub(super) async fn deny(request: Aimed<Reason>) -> Answer {
    let (aimed, body) = request.split();
    let reason = text::reason(body)?;
    run(aimed, TransferCommand::Deny { reason }).await
}

pub(super) async fn cancel(request: Aimed<Reason>) -> Answer {
    let (aimed, body) = request.split();
    let reason = text::reason(body)?;
    run(aimed, TransferCommand::Cancel { reason }).await
}

async fn run(aimed: Aimed<()>, command: TransferCommand) -> Answer {
    let (services, asked) = (&*aimed.services, &aimed.asked);
    let transfer: TransferId = path_id(&aimed.id)?;
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
    let expected = required_if_match(&aimed.headers)?.version();
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
