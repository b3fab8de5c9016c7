//! The Claim aggregate: one value of one kind bound once, for ever.
//!
//! A claim's id is derived from (organization, kind, value), and the id of the resource a request creates is derived
//! from its claim, so that a retry finds the same claim and the same resource on any node.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::organization::v1::{self, ClaimKind};
use vaultstream_event_schemas::{
    ClaimId, ErrorCode, Family, OrganizationId, Registry, ShardNumber, StreamId, Timestamp, id,
};

use crate::decider::Decider;
use crate::error::{Coded, DomainError};
use crate::transact::{Change, States, Transact};

/// The Claim aggregate.
pub struct Claim;

crate::wire_events! {
    /// What can happen to a claim.
    ClaimEvent {
        /// It was bound.
        Bound(v1::ClaimBound),
    }
}

/// A claim, folded: `None` until it is bound.
pub type ClaimState = ClaimBinding;

/// What a claim is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClaimBinding {
    /// The binding, once there is one.
    pub bound: Option<v1::ClaimBound>,
}

/// Why a claim refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The Idempotency-Key stands for another request.
    #[error("the Idempotency-Key was used for another request, which concerned {0}")]
    KeyReused(String),
    /// The external id stands for another resource.
    #[error("the external id belongs to {0}")]
    ExternalIdTaken(String),
}

impl Coded for ClaimError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::KeyReused(_) => ErrorCode::IdempotencyKeyReused,
            Self::ExternalIdTaken(_) => ErrorCode::AlreadyExists,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::KeyReused(_) => Some("Idempotency-Key"),
            Self::ExternalIdTaken(_) => Some("externalId"),
        }
    }
}

impl Decider for Claim {
    type State = ClaimState;
    type Command = v1::ClaimBound;
    type Event = ClaimEvent;
    type Error = ClaimError;

    fn decide(state: &ClaimState, command: &v1::ClaimBound) -> Result<Vec<ClaimEvent>, ClaimError> {
        match &state.bound {
            None => Ok(vec![command.clone().into()]),
            Some(bound) if bound == command => Ok(vec![]),
            Some(bound) => Err(match command.kind {
                ClaimKind::IdempotencyKey => ClaimError::KeyReused(bound.resource.clone()),
                ClaimKind::ExternalId => ClaimError::ExternalIdTaken(bound.resource.clone()),
            }),
        }
    }

    fn evolve(state: &mut ClaimState, event: &ClaimEvent) {
        let ClaimEvent::Bound(bound) = event;
        state.bound = Some(bound.clone());
    }
}

/// The id of a claim: derived from the organization, the kind and the value, placed with the organization.
pub fn claim_id(registry: &Registry, organization: OrganizationId, kind: ClaimKind, value: &str) -> ClaimId {
    let kind: &[u8] = match kind {
        ClaimKind::IdempotencyKey => b"idempotency_key",
        ClaimKind::ExternalId => b"external_id",
    };
    let bare = id::derived("claim", &[organization.uuid().as_bytes(), kind, value.as_bytes()]);
    let shard = registry
        .place(&Family::Core, organization.uuid())
        .unwrap_or_else(|| organization.shard());
    ClaimId::from_uuid(id::with_shard(bare, shard))
}

/// Binds a claim. Unchanged when it is bound to the same request already.
#[derive(Debug, Clone)]
pub struct BindClaim {
    /// The claim.
    pub claim: ClaimId,
    /// The tenant.
    pub organization: OrganizationId,
    /// What to bind.
    pub binding: v1::ClaimBound,
}

impl Transact for BindClaim {
    fn name(&self) -> &'static str {
        "organization.bind_claim"
    }
    fn shard(&self) -> ShardNumber {
        self.claim.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.claim.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let events = Claim::decide(states.get::<Claim>(self.claim), &self.binding)?;
        Ok(vec![Change::of(
            self.claim,
            self.organization,
            Owner::Itself,
            events,
        )])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::given;

    fn binding(request: &str) -> v1::ClaimBound {
        v1::ClaimBound {
            kind: ClaimKind::IdempotencyKey,
            request_sha256: request.repeat(32),
            resource: "trf_1".into(),
        }
    }

    #[test]
    fn claim_should_bind_once_and_answer_the_same_request_again() {
        given::<Claim>(&[])
            .when(&binding("aa"))
            .then(&[binding("aa").into()]);
        given::<Claim>(&[binding("aa").into()])
            .when(&binding("aa"))
            .then(&[]);
        given::<Claim>(&[binding("aa").into()])
            .when(&binding("bb"))
            .refuses(&ClaimError::KeyReused("trf_1".into()));
    }

    #[test]
    fn claim_id_should_depend_on_tenant_kind_and_value() {
        let registry = Registry::try_new(&[(Family::Core, 4)]).expect("valid");
        let a = OrganizationId::from_uuid(id::random(1, 1));
        let b = OrganizationId::from_uuid(id::random(1, 2));
        let key = |o, k, v| claim_id(&registry, o, k, v);
        assert_eq!(
            key(a, ClaimKind::IdempotencyKey, "x"),
            key(a, ClaimKind::IdempotencyKey, "x")
        );
        assert_ne!(
            key(a, ClaimKind::IdempotencyKey, "x"),
            key(b, ClaimKind::IdempotencyKey, "x")
        );
        assert_ne!(
            key(a, ClaimKind::IdempotencyKey, "x"),
            key(a, ClaimKind::ExternalId, "x")
        );
    }
}
