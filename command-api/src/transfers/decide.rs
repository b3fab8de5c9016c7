//! Deciding on a transfer as it was read: approve, deny, cancel.

use axum::response::Response;
use vaultstream_client::Reason;
use vaultstream_domain::State;
use vaultstream_domain::transfer::{ChangeTransfer, TransferCommand};
use vaultstream_event_schemas::{AccountId, TransferId};
use vaultstream_gateway::preconditions::required_if_match;
use vaultstream_gateway::resource::{self, TransferSources, not_found, path_id};
use vaultstream_gateway::{ApiError, directory};

use crate::aimed::Aimed;
use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::text;

type Answer = Result<Response, ApiError>;

pub(super) async fn approve(request: Aimed<Reason>) -> Answer {
    let (aimed, body) = request.split();
    text::reason(body)?;
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

/// The account that pays.
fn account_of(known: &directory::Known) -> Option<AccountId> {
    match &known.state {
        State::Transfer(transfer) => transfer.request.as_ref().map(|request| request.account),
        _ => None,
    }
}

async fn run(aimed: Aimed<()>, command: TransferCommand) -> Answer {
    let (services, asked) = (&*aimed.services, &aimed.asked);
    let transfer: TransferId = path_id(&aimed.id)?;
    let organization = asked.principal()?.organization;
    let known = directory::read(services.log(), transfer.into()).await?;
    let known = known.filter(|known| known.organization == organization);
    let known = known.ok_or_else(not_found)?;
    let vault = known.owner.vault().ok_or_else(not_found)?;
    let account = account_of(&known).ok_or_else(not_found)?;
    // No decision counts that a log takes which may have forgotten that it was decided, and paid, before.
    services.may_sign()?;
    let expected = required_if_match(&aimed.headers)?.version();
    let command_id = Intent::unclaimed(services).command;
    let use_case = ChangeTransfer {
        transfer,
        account,
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
