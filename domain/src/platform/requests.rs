//! What operators ask for: rebuilds of views and retries of what is parked. All named families are asked or none.

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::platform::v1;
use vaultstream_event_schemas::{Family, OrganizationId, ShardNumber, StreamId, Timestamp, ViewGenerationId};

use super::view_generation::{ViewGeneration, ViewGenerationCommand};
use crate::error::DomainError;
use crate::transact::{Change, States, Transact};

/// What can be asked of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That it be folded again from the log.
    Rebuild,
    /// That what is parked of it be folded again.
    Retry,
}

/// Asks something of a view, in one family or in several at once: all are asked or none.
#[derive(Debug, Clone)]
pub struct AskOfView {
    /// The platform's organization.
    pub organization: OrganizationId,
    /// What.
    pub wish: Wish,
    /// The view.
    pub view: String,
    /// Where: the stream of the view's generations in each family.
    pub stores: Vec<(ViewGenerationId, Family)>,
    /// Why.
    pub reason: String,
}

impl AskOfView {
    fn command(&self, family: &Family) -> ViewGenerationCommand {
        let (family, reason, view) = (family.to_string(), self.reason.clone(), self.view.clone());
        match self.wish {
            Wish::Rebuild => ViewGenerationCommand::Request(v1::RebuildRequested { family, reason, view }),
            Wish::Retry => ViewGenerationCommand::Retry(v1::RetryRequested { family, reason, view }),
        }
    }
}

impl Transact for AskOfView {
    fn name(&self) -> &'static str {
        match self.wish {
            Wish::Rebuild => "platform.request_rebuild",
            Wish::Retry => "platform.request_retry",
        }
    }
    fn shard(&self) -> ShardNumber {
        self.organization.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        self.stores.iter().map(|(id, _)| (*id).into()).collect()
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let ask = |(id, family): &(ViewGenerationId, Family)| {
            states.decide::<ViewGeneration>(*id, &self.command(family), self.organization, Owner::Itself)
        };
        self.stores.iter().map(ask).collect()
    }
}
