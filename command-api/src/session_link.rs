//! The one-time link: opens a browser session once, and takes the browser to the dashboard.
//!
//! That it works once is kept by the session's own stream: of two uses, also on two nodes, the second meets a session
//! that is open. Looking ahead (HEAD, a prefetch) does not use the link. The code stands in no log: the answer carries no
//! body, and the page it leads to has another address.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use vaultstream_domain::CommandContext;
use vaultstream_domain::organization::{ChangeSession, SessionCommand};
use vaultstream_event_schemas::{Actor, ErrorCode, SessionId};
use vaultstream_gateway::credential::{self, Secret};
use vaultstream_gateway::door::Demand;
use vaultstream_gateway::operation::{Access, Effect};
use vaultstream_gateway::{ApiError, Door, RequestInfo, directory};

use crate::intent::Intent;
use crate::services::Services;
use crate::sessions::set_cookie;

const PATH: &str = "/session/link";

/// The path and query of the link that opens an offered session with its code.
pub fn link_path(session: SessionId, code: &Secret) -> String {
    format!("{PATH}?code={}", code.text_for(session))
}

pub(crate) fn router(door: Arc<Door>) -> Router<Arc<Services>> {
    let follow = move |State(services): State<Arc<Services>>, request: Request| {
        let door = Arc::clone(&door);
        async move { follow(&services, &door, request).await }
    };
    Router::new().route(PATH, get(follow))
}

async fn follow(services: &Services, door: &Door, request: Request) -> Result<Response, ApiError> {
    let headers = request.headers();
    if request.method() == Method::HEAD || is_prefetch(headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let info = request.extensions().get::<RequestInfo>().cloned();
    let info = info.ok_or_else(|| ApiError::new(ErrorCode::Internal).detail("the edge is not in place"))?;
    let demand = Demand {
        access: Access::Public,
        own_page: false,
        effect: Effect::Leaves,
    };
    door.admit(headers, &info, demand).await?;
    match redeem(services, &info, request.uri().query().unwrap_or("")).await {
        Ok(cookie) => {
            let mut response = Redirect::to("/").into_response();
            set_cookie(services, &mut response, &cookie);
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        // A person is better served by the page, which says that the link is used up and offers to sign in.
        Err(error) if error.code() == ErrorCode::Unauthenticated && accepts_html(headers) => {
            Ok(Redirect::to("/?link=refused").into_response())
        }
        Err(error) => Err(error),
    }
}

/// Uses the link; answers the cookie.
async fn redeem(services: &Services, info: &RequestInfo, query: &str) -> Result<String, ApiError> {
    let refused = || {
        let detail = "the link is not valid, was used already or has expired; ask for a new one";
        ApiError::new(ErrorCode::Unauthenticated).detail(detail)
    };
    let code = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("code="))
        .ok_or_else(refused)?;
    let (session, code) = credential::parse::<SessionId>(code).ok_or_else(refused)?;
    let known = directory::read(services.log(), session.into())
        .await?
        .ok_or_else(refused)?;
    let secret = Secret::generate(&*services.parts.rng);
    let now = services.now();
    let command = SessionCommand::Redeem {
        code_sha256: code.sha256_hex(),
        expires_at: now.plus_seconds(services.parts.options.session_seconds),
        secret_sha256: secret.sha256_hex(),
        now,
    };
    let context = CommandContext {
        actor: Actor::Session(session),
        command: Intent::unclaimed(services).command,
        causation: None,
        trace: Some(info.trace.to_string()),
    };
    let use_case = ChangeSession {
        session,
        organization: known.organization,
        command,
    };
    match services.execute_as(context, Arc::new(use_case)).await {
        Ok(_) => Ok(secret.text_for(session)),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::Unauthenticated) => {
            Err(refused())
        }
        Err(error) => Err(error),
    }
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let says = |name: &str| {
        headers
            .get(name)
            .is_some_and(|v| v.as_bytes().starts_with(b"prefetch"))
    };
    says("sec-purpose") || says("purpose")
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.contains("text/html"))
}
