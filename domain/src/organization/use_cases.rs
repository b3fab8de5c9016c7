//! The use cases of the organization context.

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::organization::v1;
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{ApiKeyId, OrganizationId, SessionId, ShardNumber, StreamId, Timestamp};

use super::{
    ApiKey, ApiKeyCommand, ApiKeyError, Organization, OrganizationCommand, OrganizationError, Session,
    SessionCommand,
};
use crate::error::DomainError;
use crate::transact::{Change, States, Transact};

/// Refuses unless the organization exists and is active.
pub(crate) fn active(states: &States, organization: OrganizationId) -> Result<(), DomainError> {
    match states.get::<Organization>(organization).status {
        Some(OrganizationStatus::Active) => Ok(()),
        Some(status) => Err(OrganizationError::NotActive(status).into()),
        None => Err(OrganizationError::Unknown.into()),
    }
}

/// Registers an organization.
#[derive(Debug, Clone)]
pub struct RegisterOrganization {
    /// Its id.
    pub organization: OrganizationId,
    /// How it is registered.
    pub command: OrganizationCommand,
}

impl Transact for RegisterOrganization {
    fn name(&self) -> &'static str {
        "organization.register"
    }
    fn shard(&self) -> ShardNumber {
        self.organization.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.organization.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let change = states.decide::<Organization>(
            self.organization,
            &self.command,
            self.organization,
            Owner::Itself,
        )?;
        Ok(vec![change])
    }
}

/// Changes an organization.
#[derive(Debug, Clone)]
pub struct ChangeOrganization {
    /// Which.
    pub organization: OrganizationId,
    /// The version the caller decided on, when it named one.
    pub expected: Option<u64>,
    /// What to change.
    pub command: OrganizationCommand,
}

impl Transact for ChangeOrganization {
    fn name(&self) -> &'static str {
        "organization.change"
    }
    fn shard(&self) -> ShardNumber {
        self.organization.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.organization.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        DomainError::check_version(self.expected, states.version(self.organization))?;
        let change = states.decide::<Organization>(
            self.organization,
            &self.command,
            self.organization,
            Owner::Itself,
        )?;
        Ok(vec![change])
    }
}

/// Issues an API key for an active organization.
#[derive(Debug, Clone)]
pub struct IssueApiKey {
    /// Its id.
    pub key: ApiKeyId,
    /// How it is issued; names the organization.
    pub issue: v1::KeyIssued,
}

impl Transact for IssueApiKey {
    fn name(&self) -> &'static str {
        "organization.issue_api_key"
    }
    fn shard(&self) -> ShardNumber {
        self.key.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.issue.organization.into(), self.key.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        active(states, self.issue.organization)?;
        let change = states.decide::<ApiKey>(
            self.key,
            &ApiKeyCommand::Issue(self.issue.clone()),
            self.issue.organization,
            Owner::Itself,
        )?;
        Ok(vec![change])
    }
}

/// Changes an API key of an organization.
#[derive(Debug, Clone)]
pub struct ChangeApiKey {
    /// Which.
    pub key: ApiKeyId,
    /// Whose it must be.
    pub organization: OrganizationId,
    /// The version the caller decided on, when it named one.
    pub expected: Option<u64>,
    /// What to change.
    pub command: ApiKeyCommand,
}

impl Transact for ChangeApiKey {
    fn name(&self) -> &'static str {
        "organization.change_api_key"
    }
    fn shard(&self) -> ShardNumber {
        self.key.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.key.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let state = states.get::<ApiKey>(self.key);
        if state.organization() != Some(self.organization) {
            return Err(ApiKeyError::Unknown.into());
        }
        DomainError::check_version(self.expected, states.version(self.key))?;
        let change = states.decide::<ApiKey>(self.key, &self.command, self.organization, Owner::Itself)?;
        Ok(vec![change])
    }
}

/// Checks that a session gets no more than its key may do, now.
fn key_allows(
    states: &States,
    key: ApiKeyId,
    scopes: &[String],
    now: Timestamp,
) -> Result<OrganizationId, DomainError> {
    let key = states.get::<ApiKey>(key);
    let organization = key.organization().ok_or(ApiKeyError::Unknown)?;
    if !key.is_usable(now) {
        return Err(ApiKeyError::Revoked.into());
    }
    if !scopes.iter().all(|s| key.scopes.contains(s)) {
        return Err(ApiKeyError::ScopesGrow.into());
    }
    Ok(organization)
}

/// Offers a one-time link to a browser session.
#[derive(Debug, Clone)]
pub struct OfferSession {
    /// The session's id.
    pub session: SessionId,
    /// The offer.
    pub offer: v1::SessionOffered,
}

impl Transact for OfferSession {
    fn name(&self) -> &'static str {
        "organization.offer_session"
    }
    fn shard(&self) -> ShardNumber {
        self.session.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.offer.key.into(), self.session.into()]
    }
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError> {
        let organization = key_allows(states, self.offer.key, &self.offer.scopes, now)?;
        let change = states.decide::<Session>(
            self.session,
            &SessionCommand::Offer(self.offer.clone()),
            organization,
            Owner::Itself,
        )?;
        Ok(vec![change])
    }
}

/// Opens a browser session for a client that proved its key.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The session's id.
    pub session: SessionId,
    /// How it is opened.
    pub open: v1::SessionOpened,
}

impl Transact for OpenSession {
    fn name(&self) -> &'static str {
        "organization.open_session"
    }
    fn shard(&self) -> ShardNumber {
        self.session.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.open.key.into(), self.session.into()]
    }
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError> {
        let organization = key_allows(states, self.open.key, &self.open.scopes, now)?;
        let change = states.decide::<Session>(
            self.session,
            &SessionCommand::Open(self.open.clone()),
            organization,
            Owner::Itself,
        )?;
        Ok(vec![change])
    }
}

/// Redeems or revokes a session.
#[derive(Debug, Clone)]
pub struct ChangeSession {
    /// Which.
    pub session: SessionId,
    /// The tenant, written into the envelope; the caller has read it from the session's own events.
    pub organization: OrganizationId,
    /// What to change.
    pub command: SessionCommand,
}

impl Transact for ChangeSession {
    fn name(&self) -> &'static str {
        "organization.change_session"
    }
    fn shard(&self) -> ShardNumber {
        self.session.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.session.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let change =
            states.decide::<Session>(self.session, &self.command, self.organization, Owner::Itself)?;
        Ok(vec![change])
    }
}
