//! The tenant.

use async_graphql::{Enum, ID, SimpleObject};
use vaultstream_projectors::rows::OrganizationRow;

use super::scalar::{Timestamp, int};

/// The life of an organization.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::status::OrganizationStatus",
    rename_items = "snake_case"
)]
pub enum OrganizationStatus {
    /// Takes commands.
    Active,
    /// Reads go on, commands are refused.
    Suspended,
    /// Ended.
    Closed,
}

/// How many people must approve a transfer.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::organization::v1::Approval",
    rename_items = "snake_case"
)]
pub enum Approval {
    /// Nobody: transfers run at once.
    None,
    /// One person, or key, with the approve scope.
    One,
}

/// An organization.
#[derive(SimpleObject, Debug, Clone)]
pub struct Organization {
    /// The organization.
    #[graphql(owned)]
    pub id: ID,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: OrganizationStatus,
    /// How transfers are approved.
    pub approval: Approval,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Counts its own events; the number in its ETag.
    pub version: i32,
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: ID::from(row.id),
            name: row.name,
            status: row.status.into(),
            approval: row.approval.into(),
            created_at: Timestamp(row.created_at),
            version: int(row.version),
        }
    }
}
