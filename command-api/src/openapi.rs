//! The OpenAPI 3.1 description, made from the table of operations and the types that travel, and the page that shows it.
//!
//! The text is committed as `command-api/openapi.json`; a test compares. The page is Swagger UI from files inside the
//! binary, under a policy of its own, because it styles itself inline; no other path gets that policy.

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};
use vaultstream_client as api;
use vaultstream_domain::organization::scope;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::operation::{Access, Idempotency, IfMatch, Operation};
use vaultstream_gateway::operations;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// `/openapi.json` and the page at `/docs`.
pub(crate) fn router() -> Router {
    let text = axum::body::Bytes::from(openapi());
    let json = get(move || async move { ([(header::CONTENT_TYPE, "application/json")], text) });
    let page: Router = SwaggerUi::new("/docs")
        .config(Config::new(["/openapi.json"]))
        .into();
    Router::new()
        .route("/openapi.json", json)
        .merge(page.layer(map_response(page_policy)))
}

async fn page_policy(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    );
    response
}

/// The description as pretty JSON with a line break at its end, as committed.
pub fn openapi() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("a JSON value has a text");
    text.push('\n');
    text
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::ALL {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.verb.as_str().to_ascii_lowercase()] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vaultstream",
            "version": "1",
            "summary": "Event-sourced, multi-chain custody.",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": { "Problem": problem() },
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": scopes() },
                "session": { "type": "apiKey", "in": "cookie", "name": api::SESSION_COOKIE },
            },
        },
    })
}

const DESCRIPTION: &str = "Amounts are decimal strings of minor units. Times are RFC 3339 in UTC. Enumerations may grow. A \
    command answers with a consistency token, in the body and in `Vaultstream-Token`; a read with `atLeast` set to it sees \
    the effect. Lists give `nextCursor` until their end. Refusals are `application/problem+json`, and each code has a page \
    under `/docs/errors/`.";

fn scopes() -> String {
    let list: Vec<_> = scope::ALL
        .iter()
        .map(|(scope, what)| format!("`{scope}`: {what}"))
        .collect();
    format!("An API key. Its scopes: {}.", list.join("; "))
}

fn problem() -> Value {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "description": format!("Refused. `code` is one of: {}.", codes.join(", ")),
        "content": { api::problem::MEDIA_TYPE: { "schema": reference("Problem") } },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn describe(operation: &Operation) -> Value {
    let mut success = json!({ "description": "Done." });
    if operation.status == 202 {
        success["headers"] = json!({ "Vaultstream-Checkpoint": {
            "description": "The newest checkpoint signed before this answer: its number, a colon and the SHA-256 of its text in \
                hexadecimal. Absent until there is one.",
            "schema": { "type": "string", "pattern": "^[0-9]+:[0-9a-f]{64}$" },
        } });
    }
    if let Some(answer) = operation.answer {
        success["content"] = json!({ "application/json": { "schema": reference(answer) } });
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag()],
        "summary": operation.summary,
        "responses": {
            operation.status.to_string(): success,
            "default": { "$ref": "#/components/responses/Problem" },
        },
        "security": security(operation),
    });
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        let required = body != "Reason";
        let content = json!({ "application/json": { "schema": reference(body) } });
        described["requestBody"] = json!({ "required": required, "content": content });
    }
    if operation.id == "requestTransfer" {
        let content = json!({ "application/json": { "schema": reference("TransferPreview") } });
        described["responses"]["200"] =
            json!({ "description": "What would happen (dry run).", "content": content });
    }
    if operation.id == "listEvents" {
        let content = &mut described["responses"]["200"]["content"];
        content["application/jsonl"] = json!({ "schema": { "type": "string" } });
        content["text/event-stream"] = json!({ "schema": { "type": "string" } });
    }
    if let Access::Scope(scope) = operation.access {
        described["description"] = format!("Needs the scope `{scope}`.").into();
    }
    described
}

fn security(operation: &Operation) -> Value {
    match operation.access {
        Access::Public => json!([]),
        Access::SignedIn => json!([{ "key": [] }, { "session": [] }]),
        Access::Scope(scope) => json!([{ "key": [scope] }, { "session": [scope] }]),
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let text = |place: &str, name: &str, required: bool, about: &str| json!({ "in": place, "name": name, "required": required, "description": about, "schema": { "type": "string" } });
    let mut list: Vec<_> = operation
        .path_parameters()
        .map(|name| text("path", name, true, about_path(name)))
        .collect();
    list.extend(
        operation
            .query
            .iter()
            .map(|name| text("query", name, false, about(name))),
    );
    match operation.idempotency {
        Idempotency::None => {}
        kind => {
            let about = "Names the intent: new for each intent, the same for each retry.";
            list.push(text(
                "header",
                "Idempotency-Key",
                kind == Idempotency::Required,
                about,
            ));
        }
    }
    if operation.if_match != IfMatch::None {
        let about = "The ETag of the resource as it was read.";
        let required = operation.if_match == IfMatch::Required;
        list.push(text("header", "If-Match", required, about));
    }
    if operation.id == "listEvents" {
        let about = "The id of the last server-sent event that was seen: the stream goes on behind it.";
        list.push(text("header", "Last-Event-ID", false, about));
    }
    if matches!(operation.id, "createVault" | "addAccount") {
        list.push(text(
            "header",
            "Prefer",
            false,
            "`wait=N` holds the answer up to N seconds, `wait` alone up to 30, the most (RFC 7240).",
        ));
    }
    list
}

fn about_path(parameter: &str) -> &'static str {
    match parameter {
        "view" => "The view's name.",
        "subject" => "The transfer (trf_…) or organization (org_…) whose personal data is meant.",
        _ => "The id or slug.",
    }
}

fn about(query: &str) -> &'static str {
    match query {
        "limit" => "How many items, 1 to 200; 50 unless given.",
        "cursor" => "Where the page begins: `nextCursor` of the page before, with the same filters.",
        "atLeast" => "A consistency token: the answer shows at least what it stands for.",
        "asOf" => {
            "A moment in RFC 3339 or a consistency token: the answer shows how things were then, folded from the log. \
             Not together with `atLeast`."
        }
        "from" => {
            "Where to begin: `beginning` (unless given), `now`, or a moment in RFC 3339. Not together with `cursor`."
        }
        "until" => "Only events until this moment in RFC 3339, which is not still to come.",
        "stream" => "Only events of this thing: an id such as trf_….",
        "type" => "Only events of these public types, separated by commas.",
        "organization" => "Only events of this organization: one's own, or any for auditors.",
        "dryRun" => "`true` checks everything and changes nothing.",
        "status" => "Only items in this state.",
        "name" => "Only items whose name begins so.",
        "vaultId" => "Only items of this vault.",
        "family" => "Only in this family: `core` or a chain's slug.",
        _ => "",
    }
}

fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    macro_rules! add {
        ($($name:literal: $ty:ty),+ $(,)?) => { $(
            let mut inner = Vec::new();
            <$ty as ToSchema>::schemas(&mut inner);
            inner.push(($name.to_owned(), <$ty as PartialSchema>::schema()));
            for (name, schema) in inner {
                schemas.insert(name, serde_json::to_value(schema).expect("a schema has a JSON form"));
            }
        )+ };
    }
    add! {
        "Problem": api::Problem, "Reason": api::Reason, "AssetAmount": api::AssetAmount,
        "RegisterOrganization": api::RegisterOrganization, "ChangeOrganization": api::ChangeOrganization,
        "Organization": api::Organization, "Page_Organization": api::Page<api::Organization>,
        "IssueApiKey": api::IssueApiKey, "ApiKey": api::ApiKey, "Page_ApiKey": api::Page<api::ApiKey>,
        "OpenSession": api::OpenSession, "Session": api::Session, "Page_Session": api::Page<api::Session>,
        "CreateVault": api::CreateVault, "ChangeVault": api::ChangeVault, "AddAccount": api::AddAccount,
        "Vault": api::Vault, "Page_Vault": api::Page<api::Vault>,
        "ChangeAccount": api::ChangeAccount, "Account": api::Account,
        "RequestTransfer": api::RequestTransfer, "TransferAccepted": api::TransferAccepted,
        "TransferPreview": api::TransferPreview, "Transfer": api::Transfer, "Page_Transfer": api::Page<api::Transfer>,
        "Command": api::Command, "Chain": api::Chain, "Page_Chain": api::Page<api::Chain>,
        "CheckAddress": api::CheckAddress, "AddressCheck": api::AddressCheck,
        "FaucetRequest": api::FaucetRequest, "FaucetPayment": api::FaucetPayment,
        "RebuildView": api::RebuildView, "RebuildAccepted": api::RebuildAccepted,
        "View": api::View, "Page_View": api::Page<api::View>,
        "Event": api::Event, "EventPage": api::EventPage,
        "RetryView": api::RetryView, "RetryAccepted": api::RetryAccepted,
        "ParkedStream": api::ParkedStream, "Page_ParkedStream": api::Page<api::ParkedStream>,
        "EraseSubject": api::EraseSubject, "Erasure": api::Erasure,
    }
    schemas
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(target)) => {
                    found.insert(target.clone());
                }
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_should_lead_somewhere() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for target in found {
            let pointer = target.strip_prefix('#').unwrap_or(&target);
            assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
        }
    }

    #[test]
    fn every_operation_should_be_described() {
        let document = document();
        for operation in operations::ALL {
            let described = &document["paths"][operation.path][operation.verb.as_str().to_ascii_lowercase()];
            assert_eq!(described["operationId"], operation.id);
        }
    }

    #[test]
    fn committed_description_should_be_the_generated_one() {
        assert!(
            include_str!("../openapi.json") == openapi(),
            "run `cargo xtask generate`"
        );
    }
}
