//! The intent behind a request: named by an Idempotency-Key and claimed, or new every time.
//!
//! The id of a claimed command is the id of its claim under another prefix, so that `GET /v1/commands/{id}` finds the
//! claim, and what became of it, without a table. A command without a key leaves no claim and is not found there.

use http::HeaderMap;
use serde::Serialize;
use uuid::Uuid;
use vaultstream_domain::State;
use vaultstream_domain::organization::{BindClaim, claim_id};
use vaultstream_event_schemas::organization::v1::{ClaimBound, ClaimKind};
use vaultstream_event_schemas::{ClaimId, CommandId, ShardNumber, id};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::{ApiError, directory, idempotency};

use crate::services::Services;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    /// The command's id.
    pub command: CommandId,
    claim: Option<(ClaimId, String)>,
}

impl Intent {
    /// The intent of a request; `target` is the id in its path.
    pub fn read<T: Serialize>(
        services: &Services,
        asked: &Asked,
        headers: &HeaderMap,
        target: &str,
        body: &T,
    ) -> Result<Self, ApiError> {
        let Some(key) = idempotency::key(asked.operation, headers)? else {
            return Ok(Self::unclaimed(services));
        };
        let principal = asked.principal()?;
        let value = idempotency::claim_value(principal, asked.operation, key);
        let claim = claim_id(
            &services.registry,
            principal.organization,
            ClaimKind::IdempotencyKey,
            &value,
        );
        let fingerprint = idempotency::fingerprint(asked.operation, target, body)?;
        Ok(Self {
            command: CommandId::from_uuid(claim.uuid()),
            claim: Some((claim, fingerprint)),
        })
    }

    /// An intent without a name.
    pub fn unclaimed(services: &Services) -> Self {
        Self {
            command: CommandId::from_uuid(services.parts.ids.next()),
            claim: None,
        }
    }

    /// Whether a retry can be told from a new request.
    pub const fn is_claimed(&self) -> bool {
        self.claim.is_some()
    }

    /// The id of what this intent makes, without its shard: the same for every retry, or new.
    pub fn bare_id(&self, services: &Services, tag: &str) -> Uuid {
        match &self.claim {
            Some((claim, _)) => id::derived(tag, &[claim.uuid().as_bytes()]),
            None => services.parts.ids.next(),
        }
    }

    /// The id of what this intent makes, in its shard.
    pub fn id(&self, services: &Services, tag: &str, shard: ShardNumber) -> Uuid {
        id::with_shard(self.bare_id(services, tag), shard)
    }

    /// The resource this very request was bound to before, if it was.
    pub async fn bound_before(&self, services: &Services) -> Result<Option<String>, ApiError> {
        let Some((claim, fingerprint)) = &self.claim else {
            return Ok(None);
        };
        let known = directory::read(services.log(), (*claim).into()).await?;
        Ok(known.and_then(|known| match known.state {
            State::Claim(state) => state
                .bound
                .filter(|b| b.request_sha256 == *fingerprint)
                .map(|b| b.resource),
            _ => None,
        }))
    }

    /// Binds the claim to the resource; whether it was bound to the same request before. Refused when it was bound to
    /// another one.
    pub async fn bind(&self, services: &Services, asked: &Asked, resource: String) -> Result<bool, ApiError> {
        let Some((claim, fingerprint)) = &self.claim else {
            return Ok(false);
        };
        let binding = ClaimBound {
            kind: ClaimKind::IdempotencyKey,
            request_sha256: fingerprint.clone(),
            resource,
        };
        let use_case = BindClaim {
            claim: *claim,
            organization: asked.principal()?.organization,
            binding,
        };
        Ok(services
            .execute(asked, self.command, use_case)
            .await?
            .is_unchanged())
    }
}

/// The use case that binds an integrator's own id to what a claimed intent makes, once and for ever.
pub(crate) fn external_id_claim(
    services: &Services,
    asked: &Asked,
    intent: &Intent,
    external_id: &str,
    resource: String,
) -> Result<BindClaim, ApiError> {
    let organization = asked.principal()?.organization;
    let claim = claim_id(
        &services.registry,
        organization,
        ClaimKind::ExternalId,
        external_id,
    );
    let request_sha256 = intent
        .claim
        .as_ref()
        .map_or_else(String::new, |(_, fingerprint)| fingerprint.clone());
    let binding = ClaimBound {
        kind: ClaimKind::ExternalId,
        request_sha256,
        resource,
    };
    Ok(BindClaim {
        claim,
        organization,
        binding,
    })
}
