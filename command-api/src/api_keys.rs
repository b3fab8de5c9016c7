//! API keys: issue, revoke.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use vaultstream_client::IssueApiKey as IssueBody;
use vaultstream_domain::organization::{ApiKeyCommand, ChangeApiKey, IssueApiKey, scope};
use vaultstream_event_schemas::organization::v1;
use vaultstream_event_schemas::{ApiKeyId, ErrorCode, OrganizationId};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::preconditions::{Expected, if_match};
use vaultstream_gateway::resource::{self, not_found, owned, path_id};
use vaultstream_gateway::{ApiError, JsonBody, Routes, idempotency};

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;

/// Ten years: whoever wants a key for longer wants one without an end.
const MAX_EXPIRES_IN: u64 = 10 * 366 * 24 * 3600;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes.on("issueApiKey", issue).on("revokeApiKey", revoke)
}

async fn issue(
    State(services): State<Arc<Services>>,
    asked: Asked,
    headers: HeaderMap,
    JsonBody(body): JsonBody<IssueBody>,
) -> Result<Response, ApiError> {
    // Refuses a key: the secret is shown once and kept nowhere, so the answer could not be repeated.
    idempotency::key(asked.operation, &headers)?;
    let organization = organization_for(&services, &asked, body.organization_id.as_deref())?;
    let scopes = scopes_for(&asked, organization, body.scopes)?;
    let expires_at = match body.expires_in {
        None => None,
        Some(seconds @ 1..=MAX_EXPIRES_IN) => Some(
            services
                .now()
                .plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)),
        ),
        Some(_) => {
            let detail = format!("expiresIn is 1 to {MAX_EXPIRES_IN} seconds");
            return Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Body,
                "expiresIn",
                detail,
            ));
        }
    };
    let key = ApiKeyId::from_uuid(services.fresh_id(organization.shard()));
    let secret = Secret::generate(&*services.parts.rng);
    let issue = v1::KeyIssued {
        expires_at,
        name: body.name,
        organization,
        scopes,
        secret_sha256: secret.sha256_hex(),
    };
    let command = Intent::unclaimed(&services).command;
    let committed = services
        .execute(&asked, command, IssueApiKey { key, issue })
        .await?;
    let known = owned(services.log(), key, organization).await?;
    let token = services.token(&committed.positions);
    let mut body = resource::api_key(&known, services.now())?;
    body.key = Some(secret.text_for(key));
    body.token = Some(token.clone());
    let location = Some(format!("/v1/api-keys/{key}"));
    let head = Head {
        status: StatusCode::CREATED,
        command: Some(command),
        token: Some(&token),
        location,
        version: Some(known.version),
        ..Head::default()
    };
    answer(&head, &body)
}

fn organization_for(
    services: &Services,
    asked: &Asked,
    named: Option<&str>,
) -> Result<OrganizationId, ApiError> {
    let own = asked.principal()?.organization;
    let Some(named) = named else { return Ok(own) };
    let unknown = || {
        ApiError::field(
            ErrorCode::NotFound,
            In::Body,
            "organizationId",
            "there is no such organization",
        )
    };
    let named: OrganizationId = named.parse().map_err(|_| unknown())?;
    let reachable = named == own || own == services.parts.platform;
    if reachable && services.registry.entry(named.shard()).is_some() {
        Ok(named)
    } else {
        Err(unknown())
    }
}

/// Sorted, without doubles, and within one's own organization never more than the issuer has.
fn scopes_for(
    asked: &Asked,
    organization: OrganizationId,
    mut scopes: Vec<String>,
) -> Result<Vec<String>, ApiError> {
    scopes.sort_unstable();
    scopes.dedup();
    if let Some(unknown) = scopes.iter().find(|s| !scope::exists(s)) {
        let known = scope::all().join(", ");
        let unknown: String = unknown.chars().take(64).collect();
        let detail = format!("`{unknown}` is no scope; there are: {known}");
        return Err(ApiError::field(
            ErrorCode::InvalidField,
            In::Body,
            "scopes",
            detail,
        ));
    }
    let principal = asked.principal()?;
    if principal.organization == organization
        && let Some(more) = scopes.iter().find(|s| !principal.scopes.contains(s))
    {
        let detail = format!("a key cannot give away the scope `{more}`, which it lacks itself");
        return Err(ApiError::field(
            ErrorCode::ScopeMissing,
            In::Body,
            "scopes",
            detail,
        ));
    }
    Ok(scopes)
}

async fn revoke(
    State(services): State<Arc<Services>>,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key: ApiKeyId = path_id(&id)?;
    let organization = asked.principal()?.organization;
    if services.registry.entry(key.shard()).is_none() {
        return Err(not_found());
    }
    let expected = if_match(&headers)?.and_then(Expected::version);
    let command = ApiKeyCommand::Revoke {
        reason: "revoked through the API".to_owned(),
    };
    let command_id = Intent::unclaimed(&services).command;
    let use_case = ChangeApiKey {
        key,
        organization,
        expected,
        command,
    };
    let committed = services.execute(&asked, command_id, use_case).await?;
    let known = owned(services.log(), key, organization).await?;
    let token = services.token(&committed.positions);
    let mut body = resource::api_key(&known, services.now())?;
    body.token = Some(token.clone());
    let head = Head {
        command: Some(command_id),
        token: Some(&token),
        version: Some(known.version),
        ..Head::default()
    };
    answer(&head, &body)
}
