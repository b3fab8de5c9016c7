//! The Rewind aggregate: that operators released a log which was behind its mark. One stream a statement, so that a
//! release that was cut off and is given again happens once.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::envelope::{Hash, Owner};
use vaultstream_event_schemas::platform::v1;
use vaultstream_event_schemas::{
    ErrorCode, OrganizationId, Registry, RewindId, ShardNumber, StreamId, Timestamp, id,
};

use super::platform_organization;
use crate::decider::Decider;
use crate::error::{Coded, DomainError};
use crate::transact::{Change, States, Transact};

/// The Rewind aggregate.
pub struct Rewind;

crate::wire_events! {
    /// What can happen to a log that is behind its mark.
    RewindEvent {
        /// Operators released it.
        Released(v1::RewindReleased),
    }
}

/// What can be asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RewindCommand {
    /// Record the release.
    Release(v1::RewindReleased),
}

/// A release, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RewindState {
    /// The hash of the statement that was signed, once it was released.
    pub released: Option<String>,
}

/// Why a release is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this log was released by another statement")]
pub struct RewindError;

impl Coded for RewindError {
    fn code(&self) -> ErrorCode {
        ErrorCode::StateConflict
    }
}

impl Decider for Rewind {
    type State = RewindState;
    type Command = RewindCommand;
    type Event = RewindEvent;
    type Error = RewindError;

    fn decide(state: &RewindState, command: &RewindCommand) -> Result<Vec<RewindEvent>, RewindError> {
        let RewindCommand::Release(release) = command;
        match &state.released {
            None => Ok(vec![release.clone().into()]),
            Some(known) if *known == release.statement => Ok(vec![]),
            Some(_) => Err(RewindError),
        }
    }

    fn evolve(state: &mut RewindState, event: &RewindEvent) {
        let RewindEvent::Released(release) = event;
        state.released = Some(release.statement.clone());
    }
}

/// The id of the release by a statement, placed with the platform's organization.
pub fn rewind_id(registry: &Registry, statement: &Hash) -> RewindId {
    let shard = platform_organization(registry).shard();
    RewindId::from_uuid(id::with_shard(id::derived("rewind", &[statement]), shard))
}

/// Records that operators released a log.
#[derive(Debug, Clone)]
pub struct ReleaseRewind {
    /// Which release; see [`rewind_id`].
    pub id: RewindId,
    /// The platform's organization.
    pub organization: OrganizationId,
    /// Who released what.
    pub released: v1::RewindReleased,
}

impl Transact for ReleaseRewind {
    fn name(&self) -> &'static str {
        "platform.release_rewind"
    }
    fn shard(&self) -> ShardNumber {
        self.id.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.id.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let command = RewindCommand::Release(self.released.clone());
        let change = states.decide::<Rewind>(self.id, &command, self.organization, Owner::Itself)?;
        Ok(vec![change])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::given;

    fn released(statement: &str) -> v1::RewindReleased {
        v1::RewindReleased {
            lost: 3,
            mark: "12:00".into(),
            operators: vec!["alice".into(), "bob".into()],
            statement: statement.into(),
        }
    }

    #[test]
    fn release_should_happen_once() {
        let release = |statement| RewindCommand::Release(released(statement));
        given::<Rewind>(&[])
            .when(&release("ab"))
            .then(&[released("ab").into()]);
        given::<Rewind>(&[released("ab").into()])
            .when(&release("ab"))
            .then(&[]);
        given::<Rewind>(&[released("ab").into()])
            .when(&release("cd"))
            .refuses(&RewindError);
    }
}
