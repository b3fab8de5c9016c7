//! Use cases made of closures, and the vaults they count up and down.

use std::sync::Arc;

use vaultstream_domain::vault::{Vault, VaultEvent, VaultState};
use vaultstream_domain::{Change, DomainError, States, Transact};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::vault::v1::{Tier, VaultCreated, VaultRenamed};
use vaultstream_event_schemas::{OrganizationId, ShardNumber, StreamId, Timestamp, VaultId, id};

type Decide = dyn Fn(&States, Timestamp) -> Result<Vec<Change>, DomainError> + Send + Sync;

/// A use case made of parts.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub shard: ShardNumber,
    pub reads: Vec<StreamId>,
    pub creates: Vec<StreamId>,
    pub decide: Arc<Decide>,
}

impl Case {
    pub fn reading(
        reads: Vec<StreamId>,
        decide: impl Fn(&States, Timestamp) -> Result<Vec<Change>, DomainError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: "test.case",
            shard: reads[0].shard(),
            reads,
            creates: vec![],
            decide: Arc::new(decide),
        }
    }
}

impl Transact for Case {
    fn name(&self) -> &'static str {
        self.name
    }
    fn shard(&self) -> ShardNumber {
        self.shard
    }
    fn reads(&self) -> Vec<StreamId> {
        self.reads.clone()
    }
    fn creates(&self) -> Vec<StreamId> {
        self.creates.clone()
    }
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError> {
        (self.decide)(states, now)
    }
}

pub fn change(stream: StreamId, events: Vec<VaultEvent>) -> Change {
    let organization = OrganizationId::from_uuid(id::random(1, 2));
    Change::of(stream, organization, Owner::Itself, events)
}

#[expect(clippy::needless_pass_by_value, reason = "the tests read better so")]
pub fn renamed(name: impl ToString) -> VaultEvent {
    VaultRenamed {
        name: name.to_string(),
    }
    .into()
}

#[expect(clippy::needless_pass_by_value, reason = "the tests read better so")]
pub fn created(name: impl ToString) -> VaultEvent {
    VaultCreated {
        name: name.to_string(),
        tier: Tier::Hot,
    }
    .into()
}

pub fn state(states: &States, stream: StreamId) -> &VaultState {
    states.get::<Vault>(VaultId::try_from(stream).expect("a vault"))
}

/// The number a vault's name stands for; 0 for a vault without a name.
pub fn number(states: &States, stream: StreamId) -> u64 {
    state(states, stream).name.parse().unwrap_or(0)
}

/// Counts a vault's name up by one.
pub fn increment(stream: StreamId) -> Case {
    Case::reading(vec![stream], move |states, _| {
        Ok(vec![change(stream, vec![renamed(number(states, stream) + 1)])])
    })
}

/// Takes one from a vault and gives it to another, unless the first has nothing: then nothing changes.
pub fn shift(from: StreamId, to: StreamId) -> Case {
    Case::reading(vec![from, to], move |states, _| {
        let (a, b) = (number(states, from), number(states, to));
        if a == 0 {
            return Ok(vec![]);
        }
        Ok(vec![
            change(from, vec![renamed(a - 1)]),
            change(to, vec![renamed(b + 1)]),
        ])
    })
}
