//! Browser sessions: a key exchanged for a cookie, and the end of a session.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use vaultstream_client::OpenSession as OpenBody;
use vaultstream_domain::organization::{ChangeSession, OpenSession, SessionCommand};
use vaultstream_domain::{CommandContext, State as Folded};
use vaultstream_event_schemas::organization::v1;
use vaultstream_event_schemas::{Actor, ErrorCode, SessionId};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::credentials::Presented;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::resource::{self, owned, path_id};
use vaultstream_gateway::{ApiError, JsonBody, Routes, session_cookie};

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("openSession", open)
        .on("endCurrentSession", end_current)
        .on("endSession", end)
}

async fn open(
    State(services): State<Arc<Services>>,
    asked: Asked,
    JsonBody(body): JsonBody<OpenBody>,
) -> Result<Response, ApiError> {
    let principal = services
        .parts
        .credentials
        .authenticate(Presented::Key(&body.key), None)
        .await;
    let principal = principal.map_err(|error| match error.code() {
        ErrorCode::Unauthenticated => ApiError::field(
            ErrorCode::Unauthenticated,
            In::Body,
            "key",
            "the key is unknown, wrong, expired or revoked",
        ),
        _ => error,
    })?;
    let session = SessionId::from_uuid(services.fresh_id(principal.key.shard()));
    let secret = Secret::generate(&*services.parts.rng);
    let opened = v1::SessionOpened {
        expires_at: services
            .now()
            .plus_seconds(services.parts.options.session_seconds),
        key: principal.key,
        scopes: principal.scopes.list(),
        secret_sha256: secret.sha256_hex(),
    };
    let context = CommandContext {
        actor: Actor::ApiKey(principal.key),
        command: Intent::unclaimed(&services).command,
        causation: None,
        trace: Some(asked.info.trace.to_string()),
    };
    let committed = services
        .execute_as(
            context,
            Arc::new(OpenSession {
                session,
                open: opened,
            }),
        )
        .await?;
    let known = owned(services.log(), session, principal.organization).await?;
    let token = services.token(&committed.positions);
    let location = Some("/v1/sessions/current".to_owned());
    let head = Head {
        status: StatusCode::CREATED,
        token: Some(&token),
        location,
        ..Head::default()
    };
    let mut response = answer(&head, &resource::session(&known, services.now())?)?;
    set_cookie(&services, &mut response, &secret.text_for(session));
    Ok(response)
}

/// Gives the browser its cookie for as long as the session can last.
pub(crate) fn set_cookie(services: &Services, response: &mut Response, value: &str) {
    let options = services.parts.options;
    let max_age = if value.is_empty() {
        0
    } else {
        u64::try_from(options.session_seconds).unwrap_or(0)
    };
    if let Some(cookie) = session_cookie::set(value, max_age, options.secure_cookies) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

async fn end_current(State(services): State<Arc<Services>>, asked: Asked) -> Result<Response, ApiError> {
    let Some(session) = asked.principal()?.session else {
        let detail = "the request came with an API key, which has no session to end";
        return Err(ApiError::new(ErrorCode::NotFound).detail(detail));
    };
    revoke(&services, &asked, session, "signed out").await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&services, &mut response, "");
    Ok(response)
}

async fn end(
    State(services): State<Arc<Services>>,
    asked: Asked,
    Path(id): Path<String>,
    _: HeaderMap,
) -> Result<Response, ApiError> {
    let session: SessionId = path_id(&id)?;
    let known = owned(services.log(), session, asked.principal()?.organization).await?;
    debug_assert!(
        matches!(known.state, Folded::Session(_)),
        "a session id names a session"
    );
    revoke(&services, &asked, session, "ended through the API").await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn revoke(
    services: &Services,
    asked: &Asked,
    session: SessionId,
    reason: &str,
) -> Result<(), ApiError> {
    let organization = asked.principal()?.organization;
    let command = SessionCommand::Revoke {
        reason: reason.to_owned(),
    };
    let command_id = Intent::unclaimed(services).command;
    services
        .execute(
            asked,
            command_id,
            ChangeSession {
                session,
                organization,
                command,
            },
        )
        .await
        .map(|_| ())
}
