//! Who asks.

use async_graphql::{Context, Object, Result};
use vaultstream_event_schemas::ErrorCode;

use super::organization::Organization;
use super::{caller, services};
use crate::refusal::Refusal;

/// Who asks, and what they may do.
pub struct Viewer;

#[Object]
impl Viewer {
    /// The organization they act for.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        let row = services(ctx)
            .reads
            .organization(caller(ctx)?.organization)
            .await
            .map_err(Refusal::from)?;
        let missing = || {
            Refusal::new(
                ErrorCode::ReadModelBehind,
                "the organization has not reached the view yet",
            )
        };
        Ok(row.ok_or_else(missing)?.into())
    }

    /// Who asks, as it is written into events: `key:key_…` or `session:ses_…`.
    async fn actor(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(caller(ctx)?.actor())
    }

    /// What this key or session may do, sorted.
    async fn scopes(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(caller(ctx)?.scopes())
    }
}
