//! The GraphQL schema: one file a noun. Read side only; there are no mutations.
//!
//! Every resolver takes the tenant from the caller and puts it into the key of its read; ids of strangers look like ids
//! that never were. `schema.graphql` beside this crate is this schema's export, held equal by a test.

mod account;
mod asset;
mod at_least;
mod balance;
mod chain;
mod connection;
mod event;
mod execution;
mod freshness;
mod loader;
mod moment;
mod node;
mod organization;
mod query;
mod scalar;
mod search;
mod subscription;
mod timeline;
mod totals;
mod touches;
mod transfer;
mod vault;
mod viewer;

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation};

pub use loader::Loaders;
pub use touches::{Fields, Touches};

use crate::caller::Caller;
use crate::freshness::Recent;
use crate::limits;
use crate::refusal::Refusal;
use crate::services::Services;

/// The schema with its roots.
pub type Schema = async_graphql::Schema<query::Query, EmptyMutation, subscription::Subscription>;

/// Builds the schema over its services.
pub fn build(services: Services) -> Schema {
    bare().data(services).data(Arc::new(Recent::default())).finish()
}

fn bare() -> async_graphql::SchemaBuilder<query::Query, EmptyMutation, subscription::Subscription> {
    async_graphql::Schema::build(query::Query, EmptyMutation, subscription::Subscription)
        .limit_complexity(limits::MAX_COMPLEXITY)
        .limit_recursive_depth(limits::MAX_BRACKETS)
        .disable_suggestions()
}

/// The schema in its definition language.
pub fn sdl() -> String {
    bare().finish().sdl()
}

/// Who asks.
fn caller<'a>(ctx: &Context<'a>) -> Result<&'a Caller, Refusal> {
    ctx.data::<Caller>()
        .map_err(|_| Refusal::of(vaultstream_event_schemas::ErrorCode::Unauthenticated))
}

/// What is asked.
fn services<'a>(ctx: &Context<'a>) -> &'a Services {
    ctx.data_unchecked::<Services>()
}
