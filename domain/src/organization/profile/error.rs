//! Why an organization refuses.

use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::status::OrganizationStatus;

use crate::error::Coded;

/// Why an organization refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationError {
    /// It exists already.
    #[error("the organization exists already")]
    AlreadyRegistered,
    /// It does not exist.
    #[error("there is no such organization")]
    Unknown,
    /// It is in a state that does not allow this.
    #[error("the organization is {0}")]
    NotActive(OrganizationStatus),
    /// The name cannot be taken.
    #[error("a name has 1 to 80 printable characters and no space at its ends")]
    InvalidName,
    /// It has no contact that could be erased.
    #[error("the organization has no contact")]
    NoContact,
    /// The reason cannot be taken.
    #[error("a reason has 1 to 500 printable characters and no space at its ends")]
    InvalidReason,
}

impl Coded for OrganizationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyRegistered => ErrorCode::AlreadyExists,
            Self::Unknown => ErrorCode::NotFound,
            Self::NotActive(_) => ErrorCode::OrganizationNotActive,
            Self::NoContact => ErrorCode::StateConflict,
            Self::InvalidName | Self::InvalidReason => ErrorCode::InvalidField,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidName => Some("name"),
            Self::InvalidReason => Some("reason"),
            _ => None,
        }
    }
}
