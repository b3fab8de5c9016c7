//! Read your writes: a query that carries a token waits until the views it touches hold what the token names.

use async_graphql::Context;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_projectors::view_name::ViewName;

use super::services;
use crate::refusal::{self, Refusal};

/// How long a query waits for its views, in milliseconds.
const WAIT_MS: u64 = 2_000;

/// Waits until the views hold what the token names, or says how far behind they are.
pub async fn at_least(ctx: &Context<'_>, token: Option<&str>, views: &[ViewName]) -> Result<(), Refusal> {
    let Some(token) = token else { return Ok(()) };
    let services = services(ctx);
    let positions = services
        .mac
        .open_token(token)
        .map_err(|e| refusal::token(ErrorCode::TokenInvalid, "atLeast", e))?;
    Ok(services.reads.wait(views, &positions, WAIT_MS).await?)
}
