//! The mapper from stored events to public ones: what integrators and subscribers may see.
//!
//! Private events change with our design; public names are a promise. The mapper is a closed list: an event that is
//! not named here stays private. Secrets' hashes, signed bytes before broadcast and sealed values never pass.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actor::Actor;
use crate::clock::{Hlc, Timestamp};
use crate::envelope::{EventRef, StoredEvent};
use crate::id::{OrganizationId, VaultId};
use crate::placement::ShardNumber;
use crate::upcast::{Chain, UpcastError};

/// An event as integrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicEvent {
    /// The event's name, `trf_…/3`: unique, the same on every delivery.
    pub id: EventRef,
    /// The public type, such as `transfer.completed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The tenant.
    pub organization_id: OrganizationId,
    /// The vault it belongs to, when a vault owns it.
    pub vault_id: Option<VaultId>,
    /// The id of the thing it is about.
    pub subject_id: String,
    /// Who caused it.
    pub actor: Actor,
    /// Its shard.
    pub shard: ShardNumber,
    /// Its place in the shard.
    pub position: u64,
    /// The shard's clock.
    pub hlc: Hlc,
    /// The public fields of the payload, in camel case.
    pub data: Value,
}

/// Which stored types are public, under which name, and which payload fields pass.
pub(crate) const PUBLIC: &[(&str, &str, &[&str])] = &[
    (
        "organization.registered",
        "organization.registered",
        &["approval", "name"],
    ),
    ("organization.renamed", "organization.renamed", &["name"]),
    (
        "organization.approval_changed",
        "organization.approval_changed",
        &["approval"],
    ),
    ("organization.suspended", "organization.suspended", &["reason"]),
    (
        "organization.reactivated",
        "organization.reactivated",
        &["reason"],
    ),
    ("organization.closed", "organization.closed", &["reason"]),
    (
        "organization.contact_erased",
        "organization.contact_erased",
        &["grounds"],
    ),
    (
        "api_key.issued",
        "api_key.issued",
        &["expires_at", "name", "scopes"],
    ),
    ("api_key.scopes_reduced", "api_key.scopes_reduced", &["scopes"]),
    ("api_key.revoked", "api_key.revoked", &["reason"]),
    (
        "session.opened",
        "session.opened",
        &["expires_at", "key", "scopes"],
    ),
    ("session.revoked", "session.revoked", &["reason"]),
    ("vault.created", "vault.created", &["name", "tier"]),
    ("vault.renamed", "vault.renamed", &["name"]),
    (
        "vault.account_added",
        "vault.account_added",
        &["account", "chain"],
    ),
    ("vault.archived", "vault.archived", &["reason"]),
    ("account.opened", "account.opened", &["address"]),
    (
        "account.balance_observed",
        "account.balance_observed",
        &["asset", "block", "minor"],
    ),
    ("account.frozen", "account.frozen", &["reason"]),
    ("account.unfrozen", "account.unfrozen", &["reason"]),
    ("account.closed", "account.closed", &["reason"]),
    (
        "transfer.requested",
        "transfer.requested",
        &[
            "account",
            "amount",
            "asset",
            "destination",
            "expires_at",
            "external_id",
        ],
    ),
    (
        "transfer.screened",
        "transfer.screened",
        &["approvals_needed", "rule"],
    ),
    ("transfer.approved", "transfer.approved", &["approvals"]),
    ("transfer.denied", "transfer.rejected", &["reason"]),
    ("transfer.cancelled", "transfer.cancelled", &["reason"]),
    ("transfer.expired", "transfer.expired", &["deadline"]),
    ("transfer.execution_started", "transfer.executing", &["execution"]),
    (
        "transfer.completed",
        "transfer.completed",
        &["block", "fee", "txid"],
    ),
    ("transfer.failed", "transfer.failed", &["code", "detail"]),
    ("transfer.reversed", "transfer.reversed", &["block", "txid"]),
    ("transfer.memo_erased", "transfer.memo_erased", &["grounds"]),
    ("execution.planned", "execution.planned", &[]),
    ("execution.bound", "execution.bound", &["digest"]),
    ("execution.signed", "execution.signed", &["attempt"]),
    (
        "execution.broadcast_tried",
        "execution.broadcast_tried",
        &["attempt", "node", "outcome"],
    ),
    ("execution.seen", "execution.seen", &["txid"]),
    (
        "execution.included",
        "execution.included",
        &["block", "fee", "succeeded", "txid"],
    ),
    ("execution.detached", "execution.detached", &["block", "txid"]),
    (
        "execution.finalized",
        "execution.finalized",
        &["block", "fee", "succeeded", "txid"],
    ),
    ("execution.stuck", "execution.stuck", &["detail"]),
    ("execution.dead", "execution.dead", &["code", "detail"]),
    ("execution.reversed", "execution.reversed", &["block", "txid"]),
    (
        "audit.events_read",
        "audit.events_read",
        &[
            "events",
            "first_at",
            "from",
            "last_at",
            "newest",
            "oldest",
            "organization",
            "reads",
            "stream",
            "types",
            "until",
        ],
    ),
];

/// Every public type, sorted.
pub fn public_types() -> Vec<&'static str> {
    let mut types: Vec<_> = PUBLIC.iter().map(|(_, public, _)| *public).collect();
    types.sort_unstable();
    types
}

pub(crate) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut up = false;
    for c in name.chars() {
        match c {
            '_' => up = true,
            c if up => {
                out.extend(c.to_uppercase());
                up = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// The public form of a stored event of a current version; `None` when it is private.
pub fn to_public(event: &StoredEvent) -> Option<PublicEvent> {
    let (_, public, fields) = PUBLIC
        .iter()
        .find(|(stored, _, _)| *stored == event.envelope.event_type)?;
    let payload: Map<String, Value> = serde_json::from_slice(&event.payload).ok()?;
    let data = payload
        .into_iter()
        .filter(|(k, _)| fields.contains(&k.as_str()))
        .map(|(k, v)| (camel(&k), v));
    Some(PublicEvent {
        id: event.envelope.event_ref(),
        event_type: (*public).to_owned(),
        occurred_at: event.envelope.occurred_at,
        organization_id: event.envelope.organization,
        vault_id: event.envelope.owner.vault(),
        subject_id: event.envelope.stream.to_string(),
        actor: event.envelope.actor.clone(),
        shard: event.envelope.shard,
        position: event.position,
        hlc: event.hlc,
        data: Value::Object(data.collect()),
    })
}

/// The public forms of a stored event of any version, brought to current versions first, in order; none when it is
/// private. Fails for a version newer than this build: what is unknown may be public.
pub fn to_public_all(chain: &Chain, event: &StoredEvent) -> Result<Vec<PublicEvent>, UpcastError> {
    let current = chain.to_current(event)?;
    Ok(current.iter().filter_map(|event| to_public(event)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapper_should_only_name_released_types() {
        let chain = crate::upcast::released();
        for (stored, _, _) in PUBLIC {
            assert!(chain.is_current(stored, 1), "{stored} is no released type");
        }
    }

    #[test]
    fn mapper_should_never_pass_secrets() {
        for (stored, _, fields) in PUBLIC {
            for secret in [
                "secret_sha256",
                "code_sha256",
                "contact",
                "memo",
                "transaction",
                "request_sha256",
            ] {
                assert!(!fields.contains(&secret), "{stored} leaks {secret}");
            }
        }
        assert!(
            PUBLIC
                .iter()
                .all(|(stored, _, _)| *stored != "claim.bound" && *stored != "session.offered")
        );
        assert_eq!(camel("external_id"), "externalId");
    }
}
