//! Version 1 of the organization context: organization, API key, session, claim.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::erasure::Grounds;
use crate::id::{ApiKeyId, OrganizationId};
use crate::payloads;
use crate::sealed::{Personal, Sealed};

/// How many people must approve a transfer until policies exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Approval {
    /// Nobody: transfers run at once.
    None,
    /// One person, or key, with the approve scope.
    One,
}

/// Who to reach at an organization; personal, therefore only ever sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// An e-mail address.
    pub email: String,
    /// A person's name.
    pub name: String,
}

impl Personal for Contact {
    const NAME: &'static str = "organization.contact";
}

/// What a claim binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ClaimKind {
    /// An Idempotency-Key of a principal on a route.
    IdempotencyKey,
    /// An integrator's own id for a transfer.
    ExternalId,
}

payloads! { 1;
    /// An organization was registered.
    Registered = "organization.registered" {
        /// How transfers are approved.
        approval: Approval,
        /// Whom to reach, sealed.
        contact: Option<Sealed<Contact>>,
        /// Its name.
        name: String,
    }
    /// An organization took another name.
    Renamed = "organization.renamed" {
        /// The new name.
        name: String,
    }
    /// An organization changed how transfers are approved.
    ApprovalChanged = "organization.approval_changed" {
        /// The new setting.
        approval: Approval,
    }
    /// An organization was suspended: reads go on, commands are refused.
    Suspended = "organization.suspended" {
        /// Why.
        reason: String,
    }
    /// A suspension ended.
    Reactivated = "organization.reactivated" {
        /// Why.
        reason: String,
    }
    /// An organization ended.
    Closed = "organization.closed" {
        /// Why.
        reason: String,
    }
    /// The key of an organization's contact was ordered to be destroyed: nobody reads it any more.
    ContactErased = "organization.contact_erased" {
        /// On what grounds.
        grounds: Grounds,
    }
    /// An API key was issued; its secret was shown once.
    KeyIssued = "api_key.issued" {
        /// When it stops working, if ever.
        expires_at: Option<Timestamp>,
        /// What it is for.
        name: String,
        /// The organization it acts for.
        organization: OrganizationId,
        /// What it may do, sorted.
        scopes: Vec<String>,
        /// SHA-256 of the secret, lower-case hex.
        secret_sha256: String,
    }
    /// An API key lost some of its scopes; scopes never grow.
    KeyScopesReduced = "api_key.scopes_reduced" {
        /// The scopes that remain, sorted.
        scopes: Vec<String>,
    }
    /// An API key was revoked.
    KeyRevoked = "api_key.revoked" {
        /// Why.
        reason: String,
    }
    /// A one-time link to a browser session was offered.
    SessionOffered = "session.offered" {
        /// SHA-256 of the link's code, lower-case hex.
        code_sha256: String,
        /// When the link stops working.
        expires_at: Timestamp,
        /// The key the session will act as.
        key: ApiKeyId,
        /// What the session will be allowed to do, sorted.
        scopes: Vec<String>,
    }
    /// A browser session was opened, by its link or with a key.
    SessionOpened = "session.opened" {
        /// When it ends at the latest.
        expires_at: Timestamp,
        /// The key it acts as.
        key: ApiKeyId,
        /// What it may do, sorted.
        scopes: Vec<String>,
        /// SHA-256 of the cookie's secret, lower-case hex.
        secret_sha256: String,
    }
    /// A session was ended before its time.
    SessionRevoked = "session.revoked" {
        /// Why.
        reason: String,
    }
    /// A value was bound, once and for ever.
    ClaimBound = "claim.bound" {
        /// What kind of value.
        kind: ClaimKind,
        /// SHA-256 of the canonical request, lower-case hex.
        request_sha256: String,
        /// The id of the resource the request creates or acts on.
        resource: String,
    }
}
