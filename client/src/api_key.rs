//! API keys.

use vaultstream_event_schemas::{ApiKeyId, OrganizationId, Timestamp};

requests! {
    /// Issues an API key.
    IssueApiKey {
        /// What it is for: 1 to 80 printable characters.
        name: String,
        /// What it may do.
        scopes: Vec<String>,
        /// In how many seconds it stops working; never unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in: Option<u64>,
        /// For which organization; only keys of the platform organization may name another than their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organization_id: Option<String>,
    }
}

words! {
    /// Where a key is in its life.
    ApiKeyStatus {
        /// It works.
        Active,
        /// Its time is over.
        Expired,
        /// It was revoked.
        Revoked,
    }
}

answers! {
    /// An API key.
    ApiKey {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: ApiKeyId,
        /// What it is for.
        name: String,
        /// The organization it acts for.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization_id: OrganizationId,
        /// What it may do, sorted.
        scopes: Vec<String>,
        /// Where it is in its life.
        status: ApiKeyStatus,
        /// When it was issued.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
        /// When it stops working, if ever.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
        expires_at: Option<Timestamp>,
        /// Counts its events; the number in its ETag.
        version: u64,
        /// The key itself, `<key id>_<secret>`: shown once, in the answer that issued it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// A consistency token, in answers to commands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    }
}
