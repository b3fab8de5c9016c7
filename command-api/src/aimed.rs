//! A command about one resource, taken in one piece: who asks, about which resource, as it was read, with what body.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::HeaderMap;
use serde::de::DeserializeOwned;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::resource::not_found;
use vaultstream_gateway::{ApiError, JsonBody};

use crate::services::Services;

/// A command about the resource that the path names.
pub(crate) struct Aimed<B> {
    /// What the room works with.
    pub(crate) services: Arc<Services>,
    /// Who asks, and for which operation.
    pub(crate) asked: Asked,
    /// The resource, as the path names it; not read yet.
    pub(crate) id: String,
    /// Preconditions among others.
    pub(crate) headers: HeaderMap,
    /// What is to be done.
    pub(crate) body: B,
}

impl<B> Aimed<B> {
    /// The same command with its body taken out.
    pub(crate) fn split(self) -> (Aimed<()>, B) {
        let Self {
            services,
            asked,
            id,
            headers,
            body,
        } = self;
        let aimed = Aimed {
            services,
            asked,
            id,
            headers,
            body: (),
        };
        (aimed, body)
    }
}

impl<B: DeserializeOwned> FromRequest<Arc<Services>> for Aimed<B> {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let asked = Asked::from_request_parts(&mut parts, services).await?;
        // A path that is no text names nothing there is.
        let Path(id) = Path::<String>::from_request_parts(&mut parts, services)
            .await
            .map_err(|_| not_found())?;
        let headers = parts.headers.clone();
        let JsonBody(body) = JsonBody::from_request(Request::from_parts(parts, body), services).await?;
        Ok(Self {
            services: Arc::clone(services),
            asked,
            id,
            headers,
            body,
        })
    }
}
