//! Accounts: label, freeze, unfreeze.

use std::sync::Arc;

use axum::response::Response;
use vaultstream_client::{ChangeAccount as ChangeBody, Reason};
use vaultstream_domain::vault::{AccountCommand, ChangeAccount};
use vaultstream_event_schemas::AccountId;
use vaultstream_gateway::preconditions::{Expected, if_match};
use vaultstream_gateway::resource::{self, not_found, owned, path_id};
use vaultstream_gateway::{ApiError, Routes};

use crate::aimed::Aimed;
use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;
use crate::text;

type Answer = Result<Response, ApiError>;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("changeAccount", label)
        .on("freezeAccount", freeze)
        .on("unfreezeAccount", unfreeze)
}

async fn label(request: Aimed<ChangeBody>) -> Answer {
    let (aimed, body) = request.split();
    run(aimed, AccountCommand::Label { label: body.label }).await
}

async fn freeze(request: Aimed<Reason>) -> Answer {
    let (aimed, body) = request.split();
    let reason = text::reason(body)?;
    run(aimed, AccountCommand::Freeze { reason }).await
}

async fn unfreeze(request: Aimed<Reason>) -> Answer {
    let (aimed, body) = request.split();
    let reason = text::reason(body)?;
    run(aimed, AccountCommand::Unfreeze { reason }).await
}

async fn run(aimed: Aimed<()>, command: AccountCommand) -> Answer {
    let (services, asked) = (&*aimed.services, &aimed.asked);
    let account: AccountId = path_id(&aimed.id)?;
    let organization = asked.principal()?.organization;
    let known = owned(services.log(), account, organization).await?;
    let vault = known.owner.vault().ok_or_else(not_found)?;
    let expected = if_match(&aimed.headers)?.and_then(Expected::version);
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
