//! What can happen to an organization.

use vaultstream_event_schemas::organization::v1;

crate::wire_events! {
    /// What can happen to an organization.
    OrganizationEvent {
        /// It was registered.
        Registered(v1::Registered),
        /// It took another name.
        Renamed(v1::Renamed),
        /// It changed how transfers are approved.
        ApprovalChanged(v1::ApprovalChanged),
        /// It was suspended.
        Suspended(v1::Suspended),
        /// A suspension ended.
        Reactivated(v1::Reactivated),
        /// It ended.
        Closed(v1::Closed),
        /// Its contact was erased.
        ContactErased(v1::ContactErased),
    }
}
