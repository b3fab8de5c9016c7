//! `POST /graphql`: one query a request, JSON in and JSON out.
//!
//! Refusals before the query is read (credential, rate, browser header, media type, size) leave through the gateway as
//! problem+json; from then on every refusal is a GraphQL error with its code. A request that was never executed answers
//! 400 to clients that accept `application/graphql-response+json`, and 200 to older ones, as the HTTP working draft says.

#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request as Query, Response as Answer, ServerError, Variables};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::door::Demand;
use vaultstream_gateway::{ApiError, Principal, RequestInfo, json};

use crate::answers::{Question, Slot};
use crate::caller::Caller;
use crate::limits::{self, Door};
use crate::refusal::{self, Refusal};
use crate::router::Parts;
use crate::schema::Loaders;

const GRAPHQL_JSON: &str = "application/graphql-response+json";

/// What a request may hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default, rename = "extensions")]
    _extensions: Option<IgnoredAny>,
}

impl Asked {
    /// As the executor takes it.
    pub fn into_query(self) -> Query {
        let variables = serde_json::Value::Object(self.variables.unwrap_or_default());
        let query = Query::new(self.query).variables(Variables::from_json(variables));
        match self.operation_name {
            Some(name) => query.operation_name(name),
            None => query,
        }
    }
}

/// Answers one query.
pub async fn post(State(parts): State<Arc<Parts>>, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let info = head.extensions.get::<RequestInfo>().cloned();
    let info = info.ok_or_else(|| ApiError::new(ErrorCode::Internal).detail("the edge is not in place"))?;
    let (principal, _) = parts
        .door
        .admit(&head.headers, &info, Demand::signed_in_page())
        .await?;
    let principal = Arc::new(principal.ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated))?);
    json::check_media_type(&head.headers)?;
    let body = json::read(body, limits::MAX_BODY).await?;
    let asked: Asked = json::parse(&body)?;
    match answer(&parts, principal, asked.into_query()).await {
        Ok(body) => Ok(rendered(&head.headers, true, body)),
        Err(mut answer) => {
            refusal::finish(&mut answer, &info.id, parts.services.observer.as_ref());
            let executed =
                answer.data != async_graphql::Value::Null || answer.errors.iter().any(|e| !e.path.is_empty());
            Ok(rendered(&head.headers, executed, written(&answer)?))
        }
    }
}

fn written(answer: &Answer) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(answer).map_err(|error| ApiError::new(ErrorCode::Internal).caused_by(error))
}

/// A whole answer as it is sent; one with errors as it is, for they still have to be finished.
async fn answer(parts: &Parts, principal: Arc<Principal>, mut query: Query) -> Result<Vec<u8>, Box<Answer>> {
    let caller = Caller::new(Arc::clone(&principal));
    let refused = |error| Box::new(Answer::from_errors(vec![error]));
    limits::admit(&mut query, Door::Http, caller.is_key()).map_err(refused)?;
    let limit = Duration::from_millis(limits::TIMEOUT_MS);
    match tokio::time::timeout(limit, answered(parts, principal.credential(), caller, query)).await {
        Ok(answer) => answer,
        Err(_) => Err(refused(failed(Refusal::new(
            ErrorCode::Timeout,
            format!(
                "the query took longer than {} ms; ask for less",
                limits::TIMEOUT_MS
            ),
        )))),
    }
}

/// Answers from what was kept, or executes, and keeps what came of it.
async fn answered(
    parts: &Parts,
    who: Uuid,
    caller: Caller,
    mut query: Query,
) -> Result<Vec<u8>, Box<Answer>> {
    let slot = match Question::graphql(&parts.fields, &caller, &mut query) {
        Some(question) => Slot::open(&parts.services, question).await,
        None => None,
    };
    if let Some(slot) = &slot
        && let Some(body) = slot.find().await
    {
        return Ok(body);
    }
    let loaders = Loaders::of_query(parts.services.reads.clone(), caller.organization);
    let turn = parts.admission.turn(who).await;
    let refused = |refusal| Box::new(Answer::from_errors(vec![failed(refusal)]));
    let turn = turn.map_err(refused)?;
    let answer = parts.schema.execute(query.data(caller).data(loaders)).await;
    drop(turn);
    if !answer.errors.is_empty() {
        return Err(Box::new(answer));
    }
    let body = written(&answer).map_err(|_| refused(Refusal::of(ErrorCode::Internal)))?;
    if let Some(slot) = slot {
        slot.keep(&body).await;
    }
    Ok(body)
}

/// A refusal as the error of a whole answer.
pub fn failed(refusal: Refusal) -> ServerError {
    let mut error = async_graphql::Error::from(refusal).into_server_error(async_graphql::Pos::default());
    error.locations.clear();
    error
}

fn rendered(asked: &HeaderMap, executed: bool, body: Vec<u8>) -> Response {
    let modern = asked
        .get_all(header::ACCEPT)
        .iter()
        .any(|v| v.to_str().is_ok_and(|text| text.contains(GRAPHQL_JSON)));
    let status = if modern && !executed {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let media = if modern { GRAPHQL_JSON } else { "application/json" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}
