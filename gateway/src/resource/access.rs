//! Organizations, API keys and sessions as they are answered.

use vaultstream_client::{ApiKey, ApiKeyStatus, Organization, Session, SessionStatus};
use vaultstream_domain::State;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{ApiKeyId, OrganizationId, SessionId, Timestamp};

use super::not_found;
use crate::directory::Known;
use crate::error::ApiError;

/// An organization.
pub fn organization(known: &Known) -> Result<Organization, ApiError> {
    let State::Organization(state) = &known.state else {
        return Err(not_found());
    };
    Ok(Organization {
        id: OrganizationId::from_uuid(known.stream.id),
        name: state.name.clone(),
        status: state.status.ok_or_else(not_found)?,
        approval: state.approval.unwrap_or(Approval::None),
        created_at: known.created_at,
        version: known.version,
        token: None,
    })
}

/// An API key, without its secret.
pub fn api_key(known: &Known, now: Timestamp) -> Result<ApiKey, ApiError> {
    let State::ApiKey(state) = &known.state else {
        return Err(not_found());
    };
    let issued = state.issued.as_ref().ok_or_else(not_found)?;
    let status = match (state.revoked, state.is_usable(now)) {
        (true, _) => ApiKeyStatus::Revoked,
        (false, true) => ApiKeyStatus::Active,
        (false, false) => ApiKeyStatus::Expired,
    };
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(known.stream.id),
        name: issued.name.clone(),
        organization_id: issued.organization,
        scopes: state.scopes.clone(),
        status,
        created_at: known.created_at,
        expires_at: issued.expires_at,
        version: known.version,
        key: None,
        token: None,
    })
}

/// A session.
pub fn session(known: &Known, now: Timestamp) -> Result<Session, ApiError> {
    let State::Session(state) = &known.state else {
        return Err(not_found());
    };
    let (key_id, scopes, expires_at) = match (&state.opened, &state.offer) {
        (Some(opened), _) => (opened.key, &opened.scopes, opened.expires_at),
        (None, Some(offer)) => (offer.key, &offer.scopes, offer.expires_at),
        (None, None) => return Err(not_found()),
    };
    let status = match (state.revoked, now < expires_at, &state.opened) {
        (true, _, _) => SessionStatus::Revoked,
        (false, false, _) => SessionStatus::Expired,
        (false, true, Some(_)) => SessionStatus::Active,
        (false, true, None) => SessionStatus::Offered,
    };
    Ok(Session {
        id: SessionId::from_uuid(known.stream.id),
        key_id,
        organization_id: known.organization,
        scopes: scopes.clone(),
        status,
        created_at: known.created_at,
        expires_at,
    })
}
