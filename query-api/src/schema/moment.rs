//! When a thing is looked at: as the views have it now, or as it was at an earlier place of the log.
//!
//! A thing of the past leads to things of the same past. What has no past (lists, where the chains stand) says so.

use std::sync::Arc;

use async_graphql::Context;
use vaultstream_projectors::view_name::ViewName;

use super::at_least::at_least;
use super::loader::Loaders;
use super::{caller, services};
use crate::past::Past;
use crate::refusal::Refusal;

/// When a thing is looked at.
#[derive(Debug, Clone, Default)]
pub enum Moment {
    /// As the views have it.
    #[default]
    Now,
    /// As it was.
    Then(Arc<Past>),
}

impl Moment {
    /// The moment a query asks about: now, once the views hold what `atLeast` names, or what `asOf` says.
    pub async fn asked(
        ctx: &Context<'_>,
        token: Option<&str>,
        as_of: Option<&str>,
        views: &[ViewName],
    ) -> Result<Self, Refusal> {
        let Some(as_of) = as_of else {
            at_least(ctx, token, views).await?;
            return Ok(Self::Now);
        };
        if token.is_some() {
            let detail = "asOf asks for the past and atLeast for the present; give one of them";
            return Err(Refusal::field("asOf", detail));
        }
        let loaders = ctx
            .data::<Loaders>()
            .map_err(|_| Refusal::of(vaultstream_event_schemas::ErrorCode::Internal))?;
        let past = loaders
            .pasts()
            .at(services(ctx), caller(ctx)?.organization, as_of)
            .await?;
        Ok(Self::Then(past))
    }

    /// Refuses what only the present has.
    pub fn only_now(&self, what: &str) -> Result<(), Refusal> {
        match self {
            Self::Now => Ok(()),
            Self::Then(_) => {
                let detail = format!("{what} are of the present; leave them out where asOf is given");
                Err(Refusal::field("asOf", detail))
            }
        }
    }
}
