//! The fold of an organization.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::status::OrganizationStatus;

use super::OrganizationEvent;

/// An organization, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrganizationState {
    /// Where it is in its life; `None` before it is registered.
    pub status: Option<OrganizationStatus>,
    /// Its name.
    pub name: String,
    /// How transfers are approved.
    pub approval: Option<Approval>,
    /// Whether a contact was given, and whether it still can be read.
    pub contact: PersonalData,
}

/// What is left of a piece of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PersonalData {
    /// There never was any.
    #[default]
    Absent,
    /// It is kept, sealed.
    Held,
    /// Its key was ordered to be destroyed.
    Erased,
}

impl OrganizationState {
    pub(super) fn fold(&mut self, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Registered(e) => {
                self.status = Some(OrganizationStatus::Active);
                self.name.clone_from(&e.name);
                self.approval = Some(e.approval);
                if e.contact.is_some() {
                    self.contact = PersonalData::Held;
                }
            }
            OrganizationEvent::ContactErased(_) => self.contact = PersonalData::Erased,
            OrganizationEvent::Renamed(e) => self.name.clone_from(&e.name),
            OrganizationEvent::ApprovalChanged(e) => self.approval = Some(e.approval),
            OrganizationEvent::Suspended(_) => self.status = Some(OrganizationStatus::Suspended),
            OrganizationEvent::Reactivated(_) => self.status = Some(OrganizationStatus::Active),
            OrganizationEvent::Closed(_) => self.status = Some(OrganizationStatus::Closed),
        }
    }
}
