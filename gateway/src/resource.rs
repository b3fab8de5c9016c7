//! Single resources as they are answered, folded from their own streams: always as fresh as the log.
//!
//! A resource is only shown to its own organization; to anyone else it does not exist. Lists come from the views.

mod access;
mod transfer;
mod vault;

use std::str::FromStr;

use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::{ErrorCode, OrganizationId, StreamId};

use crate::directory::{self, Known};
use crate::error::ApiError;

pub use access::{api_key, organization, session};
pub use transfer::{Note, TransferSources, execution, note, transfer};
pub use vault::{account, vault, vault_account};

/// There is no such thing, or it is not the caller's: the two are one answer.
pub fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound)
}

/// An id of a path. A text that is no such id names nothing.
pub fn path_id<I: FromStr>(text: &str) -> Result<I, ApiError> {
    text.parse().map_err(|_| not_found())
}

/// A stream of the caller's own organization.
pub async fn owned(
    log: &dyn EventLog,
    stream: impl Into<StreamId>,
    organization: OrganizationId,
) -> Result<Known, ApiError> {
    let known = directory::read(log, stream.into()).await?;
    known
        .filter(|k| k.organization == organization)
        .ok_or_else(not_found)
}
