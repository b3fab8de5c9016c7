//! Browser sessions.

use vaultstream_event_schemas::{ApiKeyId, OrganizationId, SessionId, Timestamp};

requests! {
    /// Opens a browser session with an API key; the answer sets the session cookie.
    OpenSession {
        /// The API key, `<key id>_<secret>`.
        key: String,
    }
}

words! {
    /// Where a session is in its life.
    SessionStatus {
        /// A one-time link to it waits to be used.
        Offered,
        /// It works.
        Active,
        /// Its time is over.
        Expired,
        /// It was ended.
        Revoked,
    }
}

answers! {
    /// A browser session.
    Session {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: SessionId,
        /// The key it acts as.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        key_id: ApiKeyId,
        /// The organization it acts for.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization_id: OrganizationId,
        /// What it may do, sorted.
        scopes: Vec<String>,
        /// Where it is in its life.
        status: SessionStatus,
        /// When it was offered or opened.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
        /// When it ends at the latest.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        expires_at: Timestamp,
    }
}
