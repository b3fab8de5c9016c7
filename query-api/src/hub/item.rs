//! What the hub makes of one stored event: whom it concerns, its public form, and the transfer an execution's event is
//! about, which the event itself does not say.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::execution::v1::Queued;
use vaultstream_event_schemas::id::StreamKind;
use vaultstream_event_schemas::payload::Payload;
use vaultstream_event_schemas::public_event::{PublicEvent, to_public_all};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::upcast::{self, Chain};
use vaultstream_event_schemas::{
    AccountId, ExecutionId, OrganizationId, ShardNumber, StreamId, TransferId, VaultId,
};

use crate::refusal::Refusal;

const OWNERS_KEPT: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// One stored event on its way to subscribers.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its shard.
    pub shard: ShardNumber,
    /// Its place in the shard.
    pub place: Place,
    /// Its stream.
    pub stream: StreamId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault it belongs to: the owner, or the vault itself.
    pub vault: Option<VaultId>,
    /// The transfers it is about.
    pub transfers: Vec<TransferId>,
    /// The account it is about, for events of accounts and their slots.
    pub account: Option<AccountId>,
    /// Its public forms, in order; most events have one or none. Shared, for every subscriber shows the same.
    pub public: Vec<Arc<PublicEvent>>,
    /// What had gone out when its batch did; empty for an item read back from the log.
    pub base: Arc<Positions>,
}

/// Which transfers an execution carries out: said once, by its first event.
pub struct Owners {
    known: Mutex<LruCache<ExecutionId, Vec<TransferId>>>,
    chain: Chain,
}

impl Owners {
    pub fn new() -> Self {
        Self {
            known: Mutex::new(LruCache::new(OWNERS_KEPT)),
            chain: upcast::released(),
        }
    }

    fn recall(&self, execution: ExecutionId) -> Option<Vec<TransferId>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&execution)
            .cloned()
    }

    fn keep(&self, execution: ExecutionId, transfers: &[TransferId]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.put(execution, transfers.to_vec());
    }

    async fn transfers(
        &self,
        log: &dyn EventLog,
        execution: ExecutionId,
        event: &StoredEvent,
    ) -> Result<Vec<TransferId>, Refusal> {
        if let Some(transfers) = self.recall(execution) {
            return Ok(transfers);
        }
        let first = if event.envelope.sequence == 1 {
            Some(event.clone())
        } else {
            log.read_stream(event.envelope.stream, 0, 1).await?.pop()
        };
        let transfers = first.map(|e| self.queued(&e)).unwrap_or_default();
        self.keep(execution, &transfers);
        Ok(transfers)
    }

    fn queued(&self, event: &StoredEvent) -> Vec<TransferId> {
        let envelope = &event.envelope;
        let Ok(payloads) = self
            .chain
            .upcast(&envelope.event_type, envelope.version, &event.payload)
        else {
            return Vec::new();
        };
        payloads
            .into_iter()
            .filter(|p| p.event_type == Queued::TYPE)
            .find_map(|p| serde_json::from_value::<Queued>(p.payload).ok())
            .map(|q| q.transfers)
            .unwrap_or_default()
    }

    /// The public forms of an event, brought to current versions first; an unknown version has none yet.
    pub fn public(&self, event: &StoredEvent) -> Vec<PublicEvent> {
        to_public_all(&self.chain, event).unwrap_or_default()
    }

    /// Makes the item of an event.
    pub async fn item(
        &self,
        log: &dyn EventLog,
        event: &StoredEvent,
        base: &Arc<Positions>,
    ) -> Result<Item, Refusal> {
        let envelope = &event.envelope;
        let stream = envelope.stream;
        // What an earlier life left is part of the present one.
        let life = base
            .0
            .get(&envelope.shard)
            .map_or(0, |published| published.incarnation);
        let mut transfers = Vec::new();
        let mut account = None;
        let mut vault = envelope.owner.vault();
        match stream.kind {
            StreamKind::Vault => vault = VaultId::try_from(stream).ok(),
            StreamKind::Transfer => transfers.extend(TransferId::try_from(stream).ok()),
            StreamKind::Account => account = AccountId::try_from(stream).ok(),
            StreamKind::Slots => account = Some(AccountId::from_uuid(stream.id)),
            StreamKind::Execution => {
                if let Ok(execution) = ExecutionId::try_from(stream) {
                    transfers = self.transfers(log, execution, event).await?;
                }
            }
            _ => {}
        }
        Ok(Item {
            shard: envelope.shard,
            place: Place {
                incarnation: envelope.incarnation.max(life),
                position: event.position,
            },
            stream,
            organization: envelope.organization,
            vault,
            transfers,
            account,
            public: self.public(event).into_iter().map(Arc::new).collect(),
            base: Arc::clone(base),
        })
    }
}
