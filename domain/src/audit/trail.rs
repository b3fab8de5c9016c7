//! The `AuditTrail` aggregate: the reads of one credential on one day (UTC), so that no stream grows for ever.
//!
//! What was read is not judged here, only that the record is one: it ends after it begins, and it says something.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vaultstream_event_schemas::audit::v1;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::{
    AuditTrailId, ErrorCode, Family, OrganizationId, Registry, ShardNumber, StreamId, Timestamp, id,
};

use crate::decider::Decider;
use crate::error::{Coded, DomainError};
use crate::transact::{Change, States, Transact};

/// The most types one record names.
pub const MAX_TYPES: usize = 64;

const DAY_US: i64 = 86_400_000_000;

/// The `AuditTrail` aggregate.
pub struct AuditTrail;

crate::wire_events! {
    /// What can happen to a trail.
    AuditTrailEvent {
        /// Events were read.
        EventsRead(v1::EventsRead),
    }
}

/// What can be asked of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditTrailCommand {
    /// Put reads on record; one that says nothing leaves none.
    Record(v1::EventsRead),
}

/// A trail, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AuditTrailState {
    /// Reads that began.
    pub reads: u64,
    /// Events given.
    pub events: u64,
}

/// Why a trail refuses a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditTrailError {
    /// It ends before it begins.
    #[error("a read cannot end before it begins")]
    Backwards,
    /// Its types are too many, or not in order.
    #[error("a record names at most {MAX_TYPES} types, sorted and each once")]
    Types,
}

impl Coded for AuditTrailError {
    fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}

impl Decider for AuditTrail {
    type State = AuditTrailState;
    type Command = AuditTrailCommand;
    type Event = AuditTrailEvent;
    type Error = AuditTrailError;

    fn decide(
        _: &AuditTrailState,
        command: &AuditTrailCommand,
    ) -> Result<Vec<AuditTrailEvent>, AuditTrailError> {
        let AuditTrailCommand::Record(read) = command;
        if read.reads == 0 && read.events == 0 {
            return Ok(vec![]);
        }
        if read.last_at < read.first_at {
            return Err(AuditTrailError::Backwards);
        }
        if read.types.len() > MAX_TYPES || !read.types.is_sorted_by(|a, b| a < b) {
            return Err(AuditTrailError::Types);
        }
        Ok(vec![read.clone().into()])
    }

    fn evolve(state: &mut AuditTrailState, event: &AuditTrailEvent) {
        let AuditTrailEvent::EventsRead(read) = event;
        state.reads = state.reads.saturating_add(read.reads.into());
        state.events = state.events.saturating_add(read.events);
    }
}

/// The trail of a credential on the day of a moment; `None` when the registry has no audit family.
pub fn trail_id(registry: &Registry, credential: Uuid, at: Timestamp) -> Option<AuditTrailId> {
    let day = at.as_micros().div_euclid(DAY_US);
    let bare = id::derived("audit", &[credential.as_bytes(), &day.to_be_bytes()]);
    let shard = registry.place(&Family::Audit, bare)?;
    Some(AuditTrailId::from_uuid(id::with_shard(bare, shard)))
}

/// Puts reads on record.
#[derive(Debug, Clone)]
pub struct RecordRead {
    /// Whose trail.
    pub trail: AuditTrailId,
    /// The organization of the auditor.
    pub organization: OrganizationId,
    /// What was read.
    pub read: v1::EventsRead,
}

impl Transact for RecordRead {
    fn name(&self) -> &'static str {
        "audit.record_read"
    }
    fn shard(&self) -> ShardNumber {
        self.trail.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.trail.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let command = AuditTrailCommand::Record(self.read.clone());
        let change = states.decide::<AuditTrail>(self.trail, &command, self.organization, Owner::Itself)?;
        Ok(vec![change])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::given;

    fn read(reads: u32, events: u64) -> v1::EventsRead {
        v1::EventsRead {
            events,
            first_at: Timestamp::from_micros(10),
            from: None,
            last_at: Timestamp::from_micros(20),
            newest: None,
            oldest: None,
            organization: None,
            reads,
            stream: None,
            types: vec!["transfer.completed".into(), "transfer.failed".into()],
            until: None,
        }
    }

    #[test]
    fn trail_should_keep_what_says_something_and_count_it() {
        let record = |read| AuditTrailCommand::Record(read);
        given::<AuditTrail>(&[])
            .when(&record(read(1, 0)))
            .then(&[read(1, 0).into()]);
        given::<AuditTrail>(&[]).when(&record(read(0, 0))).then(&[]);
        let history = [read(1, 7).into(), read(0, 5).into()];
        let given_history = given::<AuditTrail>(&history);
        assert_eq!(*given_history.state(), AuditTrailState { reads: 1, events: 12 });
        let backwards = v1::EventsRead {
            last_at: Timestamp::from_micros(9),
            ..read(1, 1)
        };
        given_history
            .when(&record(backwards))
            .refuses(&AuditTrailError::Backwards);
        let unsorted = v1::EventsRead {
            types: vec!["b".into(), "a".into()],
            ..read(1, 1)
        };
        given_history
            .when(&record(unsorted))
            .refuses(&AuditTrailError::Types);
    }

    #[test]
    fn trail_should_be_of_one_credential_and_one_day() {
        let registry = Registry::try_new(&[(Family::Core, 1), (Family::Audit, 2)]).expect("valid");
        let (me, you) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = |who, us| trail_id(&registry, who, Timestamp::from_micros(us)).expect("placed");
        assert_eq!(id(me, 0), id(me, DAY_US - 1));
        assert_ne!(id(me, 0), id(me, DAY_US));
        assert_ne!(id(me, 0), id(you, 0));
        let family = registry.entry(id(me, 0).shard()).map(|e| e.family.clone());
        assert_eq!(family, Some(Family::Audit));
        let none = Registry::try_new(&[(Family::Core, 1)]).expect("valid");
        assert_eq!(trail_id(&none, me, Timestamp::from_micros(0)), None);
    }
}
