//! What can be asked of an organization.

use vaultstream_event_schemas::organization::v1::{Approval, Contact};
use vaultstream_event_schemas::{Grounds, Sealed};

/// What can be asked of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationCommand {
    /// Register it.
    Register {
        /// Its name.
        name: String,
        /// How transfers are approved.
        approval: Approval,
        /// Whom to reach, sealed.
        contact: Option<Sealed<Contact>>,
    },
    /// Give it another name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Change how transfers are approved.
    SetApproval {
        /// The new setting.
        approval: Approval,
    },
    /// Refuse its commands until it is reactivated.
    Suspend {
        /// Why.
        reason: String,
    },
    /// End a suspension.
    Reactivate {
        /// Why.
        reason: String,
    },
    /// Have the key of its contact destroyed.
    EraseContact {
        /// On what grounds.
        grounds: Grounds,
    },
    /// End it.
    Close {
        /// Why.
        reason: String,
    },
}
