//! What operators ask for: rebuilds of views and retries of what is parked. All named families are asked or none.

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::platform::v1;
use vaultstream_event_schemas::{Family, OrganizationId, ShardNumber, StreamId, Timestamp, ViewGenerationId};

use super::view_generation::{ViewGeneration, ViewGenerationCommand};
use crate::error::DomainError;
use crate::transact::{Change, States, Transact};

/// Asks for rebuilds of a view, in one family or in several at once: all are asked for or none.
#[derive(Debug, Clone)]
pub struct RequestRebuild {
    /// The platform's organization.
    pub organization: OrganizationId,
    /// The view.
    pub view: String,
    /// Where: the stream of the view's generations in each family.
    pub stores: Vec<(ViewGenerationId, Family)>,
    /// Why.
    pub reason: String,
}

impl Transact for RequestRebuild {
    fn name(&self) -> &'static str {
        "platform.request_rebuild"
    }
    fn shard(&self) -> ShardNumber {
        self.organization.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        self.stores.iter().map(|(id, _)| (*id).into()).collect()
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let ask = |(id, family): &(ViewGenerationId, Family)| {
            let asked = v1::RebuildRequested {
                family: family.to_string(),
                reason: self.reason.clone(),
                view: self.view.clone(),
            };
            let command = ViewGenerationCommand::Request(asked);
            states.decide::<ViewGeneration>(*id, &command, self.organization, Owner::Itself)
        };
        self.stores.iter().map(ask).collect()
    }
}

/// Asks that what is parked of a view be folded again, in one family or in several at once: all are asked for or none.
#[derive(Debug, Clone)]
pub struct RequestRetry {
    /// The platform's organization.
    pub organization: OrganizationId,
    /// The view.
    pub view: String,
    /// Where: the stream of the view's generations in each family.
    pub stores: Vec<(ViewGenerationId, Family)>,
    /// Why.
    pub reason: String,
}

impl Transact for RequestRetry {
    fn name(&self) -> &'static str {
        "platform.request_retry"
    }
    fn shard(&self) -> ShardNumber {
        self.organization.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        self.stores.iter().map(|(id, _)| (*id).into()).collect()
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let ask = |(id, family): &(ViewGenerationId, Family)| {
            let asked = v1::RetryRequested {
                family: family.to_string(),
                reason: self.reason.clone(),
                view: self.view.clone(),
            };
            let command = ViewGenerationCommand::Retry(asked);
            states.decide::<ViewGeneration>(*id, &command, self.organization, Owner::Itself)
        };
        self.stores.iter().map(ask).collect()
    }
}
