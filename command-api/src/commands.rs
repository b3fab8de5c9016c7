//! What became of a command: read from its claim.
//!
//! Only commands that were sent with an Idempotency-Key leave a claim. Others are answered at once, with their effect in
//! the answer, and are not found here.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use vaultstream_client::{Command, CommandStatus};
use vaultstream_domain::State as Folded;
use vaultstream_event_schemas::{ClaimId, CommandId, StreamId, StreamKind};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::resource::{not_found, owned, path_id};
use vaultstream_gateway::{ApiError, Routes, directory};

use crate::services::Services;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes.on("getCommand", get)
}

async fn get(
    State(services): State<Arc<Services>>,
    asked: Asked,
    Path(id): Path<String>,
) -> Result<Json<Command>, ApiError> {
    let unclaimed =
        || not_found().detail("there is no such command of yours, or it was sent without an Idempotency-Key");
    let id: CommandId = path_id(&id)?;
    let claim = ClaimId::from_uuid(id.uuid());
    let known = owned(services.log(), claim, asked.principal()?.organization)
        .await
        .map_err(|e| {
            if e.code() == vaultstream_event_schemas::ErrorCode::NotFound {
                unclaimed()
            } else {
                e
            }
        })?;
    let Folded::Claim(state) = &known.state else {
        return Err(unclaimed());
    };
    let resource = state.bound.as_ref().ok_or_else(unclaimed)?.resource.clone();
    let stream: Option<StreamId> = resource.parse().ok();
    let done = match stream {
        Some(stream) => directory::read(services.log(), stream).await?.is_some(),
        None => false,
    };
    let href = stream
        .filter(|_| done)
        .and_then(|s| place(s.kind))
        .map(|noun| format!("/v1/{noun}/{resource}"));
    let status = if done {
        CommandStatus::Done
    } else {
        CommandStatus::Claimed
    };
    Ok(Json(Command {
        id,
        status,
        resource,
        href,
        created_at: known.created_at,
    }))
}

const fn place(kind: StreamKind) -> Option<&'static str> {
    Some(match kind {
        StreamKind::Organization => "organizations",
        StreamKind::Vault => "vaults",
        StreamKind::Account => "accounts",
        StreamKind::Transfer => "transfers",
        _ => return None,
    })
}
