//! Small rows: the feed's public events, look-up entries, index entries, a vault's activity, quarantined streams.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vaultstream_event_schemas::actor::Actor;
use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::{EventRef, Hlc, OrganizationId, ShardNumber, VaultId};

use super::rows;

/// What a look-up entry leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupKind {
    /// A vault.
    Vault,
    /// An account.
    Account,
    /// A transfer.
    Transfer,
    /// An execution.
    Execution,
}

impl LookupKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Account => "account",
            Self::Transfer => "transfer",
            Self::Execution => "execution",
        }
    }
}

rows! {
    /// One more public form of an event.
    Meaning {
        /// The public fields of the payload.
        data: Value,
        /// The public type.
        r#type: String,
    }

    /// The public form of an event, in every meaning it has today.
    FeedRow {
        /// Who caused it.
        actor: Actor,
        /// What else the event means, when it is of an older version that means several today.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<Meaning>,
        /// The public fields of the payload.
        data: Value,
        /// The shard's clock.
        hlc: Hlc,
        /// The event's name.
        id: EventRef,
        /// When it happened.
        occurred_at: Timestamp,
        /// The tenant.
        organization_id: OrganizationId,
        /// Its place in the shard.
        pos: u64,
        /// Its shard.
        shard: ShardNumber,
        /// The id of the thing it is about.
        subject_id: String,
        /// The public type.
        r#type: String,
        /// The vault it belongs to.
        vault_id: Option<VaultId>,
    }

    /// Where a term leads.
    LookupRow {
        /// The id it leads to.
        id: String,
        /// What that is.
        kind: LookupKind,
        /// What matched, as it is written.
        label: String,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream was folded when it was written.
        pos: u64,
        /// The vault it belongs to.
        vault_id: Option<VaultId>,
    }

    /// An entry of an index: everything it says stands in its key.
    IndexRow {
        /// How far its stream was folded when it was written.
        pos: u64,
    }

    /// When something last happened in a vault on one chain.
    ActivityRow {
        /// The shard's clock at the newest event.
        hlc: Hlc,
        /// The position of the newest event.
        pos: u64,
    }

    /// A stream that a view could not fold: it is parked from its first bad event on and retried at start-up.
    QuarantineRow {
        /// The first event that could not be folded.
        event: EventRef,
        /// Its type on the wire.
        event_type: String,
        /// How many events of the stream are parked.
        parked: u64,
        /// The position of the newest parked event.
        pos: u64,
        /// The position of the first parked event.
        position: u64,
        /// Why it could not be folded.
        reason: String,
        /// The shard.
        shard: ShardNumber,
        /// The version of the payload.
        version: u16,
    }
}

impl FeedRow {
    /// The row of an event's public forms, in their order; `None` when it has none.
    pub fn of(public: Vec<PublicEvent>) -> Option<Self> {
        let mut public = public.into_iter();
        let first = public.next()?;
        let also = public.map(|event| Meaning {
            data: event.data,
            r#type: event.event_type,
        });
        Some(Self {
            actor: first.actor,
            also: also.collect(),
            data: first.data,
            hlc: first.hlc,
            id: first.id,
            occurred_at: first.occurred_at,
            organization_id: first.organization_id,
            pos: first.position,
            shard: first.shard,
            subject_id: first.subject_id,
            r#type: first.event_type,
            vault_id: first.vault_id,
        })
    }

    /// The event's public forms, in their order.
    pub fn public(self) -> Vec<PublicEvent> {
        let first = PublicEvent {
            id: self.id,
            event_type: self.r#type,
            occurred_at: self.occurred_at,
            organization_id: self.organization_id,
            vault_id: self.vault_id,
            subject_id: self.subject_id,
            actor: self.actor,
            shard: self.shard,
            position: self.pos,
            hlc: self.hlc,
            data: self.data,
        };
        let others = self.also.into_iter().map(|meaning| PublicEvent {
            event_type: meaning.r#type,
            data: meaning.data,
            ..first.clone()
        });
        let mut all: Vec<_> = others.collect();
        all.insert(0, first);
        all
    }
}
