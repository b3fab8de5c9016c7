//! `GET /v1/events`: the log, in three forms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Uri, header};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::ApiError;
use vaultstream_gateway::door::Asked as Request;
use vaultstream_gateway::error::In;
use vaultstream_gateway::query::Params;

use super::Site;
use crate::events::{Asked, Form, Seen, Who, as_api_error, lines, open_stream, page, page_answer};

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    request: Request,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, ApiError> {
    let events = &site.events;
    let params = Params::read(request.operation, &uri)?;
    let limit = params.limit()?;
    let principal = request.principal()?;
    let asked = Asked::read(events, principal, &params, &headers).await?;
    let form = Form::accepted(&headers);
    if form == Form::Stream {
        if params.get("limit").is_some() {
            let detail = "a stream has no pages; leave `limit` out";
            return Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Request,
                "limit",
                detail,
            ));
        }
        let principal = Arc::new(principal.clone());
        return open_stream(events, principal, &request.info, asked).await;
    }
    let page = page(&events.services, &asked.question, &asked.cursor, limit)
        .await
        .map_err(as_api_error)?;
    if asked.is_audit {
        let who = Who::new(principal, &request.info);
        let seen = Seen::of(&page.events);
        events.recorder.read(&who, &asked.question, 1, seen).await?;
    }
    let mac = &events.services.mac;
    let mut response = match form {
        Form::Lines(media_type) => lines(mac, &page, media_type)?,
        Form::Page | Form::Stream => Json(page_answer(mac, page)).into_response(),
    };
    let vary = HeaderValue::from_static("accept");
    response.headers_mut().insert(header::VARY, vary);
    Ok(response)
}
