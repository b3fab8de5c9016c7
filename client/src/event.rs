//! Public events, as every door and topic shows them.

use serde_json::Value;
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::{Actor, EventRef, Hlc, OrganizationId, ShardNumber, Timestamp, VaultId};

answers! {
    /// A public event; `type` says which shape `data` has, as `docs/asyncapi.yaml` describes it.
    Event {
        /// The event's name, `trf_…/3`: unique, the same on every delivery.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: EventRef,
        /// The public type.
        #[serde(rename = "type")]
        #[cfg_attr(feature = "openapi", schema(example = "transfer.completed"))]
        event_type: String,
        /// When it happened.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        occurred_at: Timestamp,
        /// The tenant.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization_id: OrganizationId,
        /// The vault it belongs to, when a vault owns it.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        vault_id: Option<VaultId>,
        /// The id of the thing it is about.
        subject_id: String,
        /// Who caused it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        actor: Actor,
        /// Its shard.
        #[cfg_attr(feature = "openapi", schema(value_type = u16))]
        shard: ShardNumber,
        /// Its place in the shard.
        position: u64,
        /// The shard's clock, in microseconds since 1970.
        #[cfg_attr(feature = "openapi", schema(value_type = u64))]
        hlc: Hlc,
        /// What there is to know, by type.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        data: Value,
    }

    /// A page of public events. One that filters much may be short, even empty, while there is more.
    EventPage {
        /// The events: within a shard in the order of their positions, across shards in the order of their clocks.
        items: Vec<Event>,
        /// Where the next page begins; `null` when nothing more had happened. Opaque; good with other filters, too.
        next_cursor: Option<String>,
        /// Where a later read goes on, at the end as well.
        cursor: String,
    }
}

impl From<PublicEvent> for Event {
    fn from(event: PublicEvent) -> Self {
        Self {
            id: event.id,
            event_type: event.event_type,
            occurred_at: event.occurred_at,
            organization_id: event.organization_id,
            vault_id: event.vault_id,
            subject_id: event.subject_id,
            actor: event.actor,
            shard: event.shard,
            position: event.position,
            hlc: event.hlc,
            data: event.data,
        }
    }
}
