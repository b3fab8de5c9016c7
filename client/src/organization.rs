//! Organizations.

use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{OrganizationId, Timestamp};

requests! {
    /// Registers an organization; only keys of the platform organization may.
    RegisterOrganization {
        /// 1 to 80 printable characters.
        name: String,
        /// How transfers are approved; `none` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "one"))]
        approval: Option<Approval>,
        /// Whom to reach; kept encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<Contact>,
    }

    /// Whom to reach at an organization.
    Contact {
        /// An e-mail address.
        email: String,
        /// A person's name.
        name: String,
    }

    /// Changes an organization; absent fields stay.
    ChangeOrganization {
        /// The new name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// How transfers are approved from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "one"))]
        approval: Option<Approval>,
    }
}

answers! {
    /// An organization.
    Organization {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: OrganizationId,
        /// Its name.
        name: String,
        /// Where it is in its life.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "active"))]
        status: OrganizationStatus,
        /// How transfers are approved.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "none"))]
        approval: Approval,
        /// When it was registered.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
        /// Counts its events; the number in its ETag.
        version: u64,
        /// A consistency token, in answers to commands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    }
}
