//! The two doors of GraphQL as a router: `POST /graphql` and `GET /graphql/ws`.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use vaultstream_gateway::Door;

use crate::admission::Admission;
use crate::schema::{self, Fields, Schema};
use crate::services::Services;
use crate::{http, socket};

/// What both doors share.
pub struct Parts {
    /// What is read.
    pub services: Services,
    /// The schema over it.
    pub schema: Schema,
    /// What its fields are made of.
    pub fields: Fields,
    /// Who comes in.
    pub door: Arc<Door>,
    /// How much room each has.
    pub admission: Admission,
}

/// The routes; the edge of the whole server goes around them.
pub fn router(services: Services, door: Arc<Door>) -> Router {
    let schema = schema::build(services.clone());
    let parts = Arc::new(Parts {
        services,
        schema,
        fields: Fields::of_schema(&schema::sdl()),
        door,
        admission: Admission::default(),
    });
    Router::new()
        .route("/graphql", post(http::post))
        .route("/graphql/ws", get(socket::upgrade))
        .with_state(parts)
}
