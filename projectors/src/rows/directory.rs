//! Organizations, API keys and sessions as rows; doors keep them in caches and ask here when a cache has none.

use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{ApiKeyId, Hlc, OrganizationId, SessionId};

use super::rows;

rows! {
    /// An organization. Its contact is personal and stays in the log.
    OrganizationRow {
        /// How transfers are approved.
        approval: Approval,
        /// When it was registered.
        created_at: Timestamp,
        /// The shard's clock at its registration; lists are ordered by it.
        created_hlc: Hlc,
        /// The organization.
        id: OrganizationId,
        /// Its name.
        name: String,
        /// How far its stream is folded.
        pos: u64,
        /// Why it is suspended or closed.
        reason: Option<String>,
        /// Its state.
        status: OrganizationStatus,
        /// When it last changed.
        updated_at: Timestamp,
        /// Counts its own events; the number in its ETag.
        version: u64,
    }

    /// An API key. The hash of its secret is for doors and never leaves through an API.
    ApiKeyRow {
        /// When it was issued.
        created_at: Timestamp,
        /// The shard's clock at its issue; lists are ordered by it.
        created_hlc: Hlc,
        /// When it stops working, if ever.
        expires_at: Option<Timestamp>,
        /// The key.
        id: ApiKeyId,
        /// What it is for.
        name: String,
        /// The tenant it acts for.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// When it was revoked.
        revoked_at: Option<Timestamp>,
        /// What it may do, sorted.
        scopes: Vec<String>,
        /// SHA-256 of the secret, lower-case hex.
        secret_sha256: String,
        /// Counts its own events; the number in its ETag.
        version: u64,
    }

    /// A browser session, offered or open. Its hashes are for doors and never leave through an API.
    SessionRow {
        /// SHA-256 of the link's code while the link may still be used, lower-case hex.
        code_sha256: Option<String>,
        /// When it was offered, or opened when no link was.
        created_at: Timestamp,
        /// The shard's clock then; lists are ordered by it.
        created_hlc: Hlc,
        /// When the link, or the open session, stops working.
        expires_at: Timestamp,
        /// The session.
        id: SessionId,
        /// The key it acts as.
        key_id: ApiKeyId,
        /// When it was opened.
        opened_at: Option<Timestamp>,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// When it was ended before its time.
        revoked_at: Option<Timestamp>,
        /// What it may do, sorted.
        scopes: Vec<String>,
        /// SHA-256 of the cookie's secret once it is open, lower-case hex.
        secret_sha256: Option<String>,
        /// Counts its own events.
        version: u64,
    }
}
