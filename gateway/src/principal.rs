//! Who asks: an organization's key, or a browser session that acts as one.

use uuid::Uuid;
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{Actor, ApiKeyId, OrganizationId, SessionId, Timestamp};

use crate::access::ScopeSet;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The tenant.
    pub organization: OrganizationId,
    /// Where the tenant is in its life: commands need `active`.
    pub organization_status: OrganizationStatus,
    /// The key it is, or acts as.
    pub key: ApiKeyId,
    /// The browser session, when it is one.
    pub session: Option<SessionId>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl Principal {
    /// As it is written into events.
    pub fn actor(&self) -> Actor {
        match self.session {
            Some(session) => Actor::Session(session),
            None => Actor::ApiKey(self.key),
        }
    }

    /// What its limits are counted on.
    pub fn credential(&self) -> Uuid {
        self.session.map_or_else(|| self.key.uuid(), SessionId::uuid)
    }
}
