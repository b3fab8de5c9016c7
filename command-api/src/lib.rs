//! REST commands: authorise, claim, execute, answer with a token.
//!
//! A handler is reached through the door only. It reads the request, asks for one or more use cases, and answers with the
//! resource as the log has it and a consistency token. A command with an Idempotency-Key is claimed first, and everything
//! it makes has an id derived from the claim; so a retry finds the claim and either the first effect or the way to it.
//! Refuses: what the domain refuses, before the claim wherever that can be seen.

mod accounts;
mod aimed;
mod answer;
mod api_keys;
mod chain_rules;
mod chains;
mod commands;
mod erasures;
mod intent;
mod openapi;
mod organizations;
mod prefer;
mod present;
mod quotes;
mod rehearsal;
mod services;
mod session_link;
mod sessions;
mod text;
mod transfers;
mod vaults;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use vaultstream_gateway::operation::Room;
use vaultstream_gateway::{Door, Routes, error_pages};

pub use openapi::openapi;
pub use services::{Options, Services, ServicesParts};
pub use session_link::link_path;

/// The routes of this room: commands, the one-time link, the error pages, OpenAPI and its page.
///
/// # Panics
/// When the table of operations and the handlers disagree: a mistake that the first start shows.
pub fn router(services: Arc<Services>, door: &Arc<Door>) -> Router {
    let routes = Routes::new(Arc::clone(door), Room::Commands);
    let routes = organizations::serve(routes);
    let routes = api_keys::serve(routes);
    let routes = sessions::serve(routes);
    let routes = vaults::serve(routes);
    let routes = accounts::serve(routes);
    let routes = transfers::serve(routes);
    let routes = erasures::serve(routes);
    let routes = views::serve(routes);
    let routes = commands::serve(routes);
    let routes = chains::serve(routes);
    let newest = services.parts.checkpoint.clone();
    routes
        .finish()
        .layer(from_fn_with_state(newest, answer::name_checkpoint))
        .merge(session_link::router(Arc::clone(door)))
        .with_state(services)
        .merge(error_pages::router())
        .merge(openapi::router())
}
