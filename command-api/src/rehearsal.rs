//! Deciding without doing: a use case run through the same executor on the same states, with nothing appended.

use std::sync::Arc;

use vaultstream_domain::{Change, CommandContext, DomainError, States, Transact};
use vaultstream_event_schemas::{CommandId, ShardNumber, StreamId, Timestamp};
use vaultstream_gateway::ApiError;
use vaultstream_gateway::door::Asked;
use vaultstream_kernel::Committed;

use crate::services::Services;

struct Rehearsal(Arc<dyn Transact>);

impl Transact for Rehearsal {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn shard(&self) -> ShardNumber {
        self.0.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        let mut streams = self.0.reads();
        streams.extend(self.0.creates());
        streams
    }
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError> {
        self.0.decide(states, now).map(|_| Vec::new())
    }
}

impl Services {
    /// What the domain would say; the states it would decide on.
    pub(crate) async fn rehearse(
        &self,
        asked: &Asked,
        command: CommandId,
        use_case: Arc<dyn Transact>,
    ) -> Result<Committed, ApiError> {
        let context = CommandContext {
            actor: asked.principal()?.actor(),
            command,
            causation: None,
            trace: None,
        };
        self.execute_as(context, Arc::new(Rehearsal(use_case))).await
    }
}
