//! Public events: the feed and the items of the log subscription.

use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object, Result};
use serde_json::Value;
use vaultstream_event_schemas::public_event::{PublicEvent, public_types};
use vaultstream_projectors::read::FeedQuery;

use super::connection::{List, connection};
use super::loader::Loaders;
use super::scalar::{Long, Timestamp};
use super::{caller, services};
use crate::refusal::Refusal;

/// Types one filter may name.
const MAX_TYPES: usize = 64;

/// A public event.
#[derive(Debug, Clone)]
pub struct Event(pub Arc<PublicEvent>);

connection!(FeedConnection, FeedEdge, Event);

#[Object]
impl Event {
    /// The event's name, `trf_…/3`: unique, the same on every delivery.
    async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// The public type, such as `transfer.completed`.
    async fn r#type(&self) -> &str {
        &self.0.event_type
    }

    /// When it happened.
    async fn occurred_at(&self) -> Timestamp {
        Timestamp(self.0.occurred_at)
    }

    /// Who caused it.
    async fn actor(&self) -> String {
        self.0.actor.to_string()
    }

    /// The vault it belongs to, when a vault owns it.
    async fn vault_id(&self) -> Option<ID> {
        self.0.vault_id.map(ID::from)
    }

    /// The vault's name now; null without the scope `vaults:read`.
    async fn vault_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let Some(id) = self.0.vault_id else {
            return Ok(None);
        };
        if caller(ctx)?.require("vaults:read").is_err() {
            return Ok(None);
        }
        Ok(ctx
            .data::<Loaders>()?
            .vault(id)
            .await?
            .map(|row| row.name.clone()))
    }

    /// The id of the thing it is about.
    async fn subject_id(&self) -> ID {
        ID::from(&self.0.subject_id)
    }

    /// Its shard.
    async fn shard(&self) -> i32 {
        self.0.shard.0.into()
    }

    /// Its place in its shard.
    async fn position(&self) -> Long {
        Long(self.0.position)
    }

    /// The public fields of the payload.
    async fn data(&self) -> Json<Value> {
        Json(self.0.data.clone())
    }
}

/// Checks the types a filter names.
pub fn checked_types(types: Option<Vec<String>>) -> Result<Vec<String>, Refusal> {
    let types = types.unwrap_or_default();
    if types.len() > MAX_TYPES {
        return Err(Refusal::field(
            "types",
            format!("at most {MAX_TYPES} types may be named"),
        ));
    }
    let public = public_types();
    match types.iter().find(|t| !public.contains(&t.as_str())) {
        None => Ok(types),
        Some(unknown) => {
            let unknown: String = unknown.chars().take(64).collect();
            Err(Refusal::field(
                "types",
                format!("`{unknown}` is no public event type"),
            ))
        }
    }
}

/// A page of the caller's public events, newest first.
pub async fn feed(
    ctx: &Context<'_>,
    query: &FeedQuery,
    first: i32,
    after: Option<&str>,
) -> Result<FeedConnection, Refusal> {
    let caller = caller(ctx)?;
    caller.require("events:read")?;
    let services = services(ctx);
    let list = List::new(services, caller.organization, &format!("feed?{query:?}"));
    let request = list.page(first, after)?;
    let page = services.reads.feed(caller.organization, query, &request).await?;
    let (entries, info) = list.seal(page, &request);
    let entries = entries
        .into_iter()
        .map(|(cursor, event)| (cursor, Event(Arc::new(event))))
        .collect();
    Ok(FeedConnection::new(entries, info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_should_be_public_and_few() {
        assert_eq!(checked_types(None), Ok(vec![]));
        assert!(checked_types(Some(vec!["transfer.completed".into()])).is_ok());
        let refusal = checked_types(Some(vec!["claim.bound".into()])).expect_err("private");
        assert_eq!(refusal.field.as_deref(), Some("types"));
        assert!(checked_types(Some(vec!["transfer.completed".into(); MAX_TYPES + 1])).is_err());
    }
}
