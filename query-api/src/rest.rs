//! The REST reads: single resources folded from their own streams, always as fresh as the log, and lists from the views.
//!
//! The tenant is part of the key of every read. `atLeast` makes a list wait for the views it touches, at most two
//! seconds; a single resource needs no waiting. A cursor is sealed for its tenant, list and filters, and opens no other.

mod events;
mod fresh;
mod lists;
mod past;
mod quarantine;
mod rows;
mod single;
#[cfg(test)]
pub(crate) mod tests;
mod views;

use std::sync::Arc;

use axum::Router;
use vaultstream_domain::ports::Spawn;
use vaultstream_event_schemas::chain::ChainHead;
use vaultstream_event_schemas::{ChainId, OrganizationId};
use vaultstream_gateway::catalogue::{Catalogue, ChainHeads};
use vaultstream_gateway::operation::Room;
use vaultstream_gateway::resource::TransferSources;
use vaultstream_gateway::{Door, Routes};
use vaultstream_kernel::Executor;

use crate::events::{Events, EventsParts};
use crate::services::Services;

/// What the REST reads are made of, beside what GraphQL is made of.
#[derive(Clone)]
pub struct RestParts {
    /// What is read.
    pub services: Services,
    /// The organization that owns the platform; its keys see all organizations.
    pub platform: OrganizationId,
    /// Puts auditors' reads on record.
    pub executor: Executor,
    /// Runs streams of events.
    pub spawn: Arc<dyn Spawn>,
}

struct Site {
    services: Services,
    platform: OrganizationId,
    events: Events,
    catalogue: Catalogue,
}

impl ChainHeads for Site {
    fn head(&self, chain: &ChainId) -> Option<ChainHead> {
        self.services.head(chain).map(|seen| seen.head)
    }
}

impl Site {
    fn transfer_sources(&self) -> TransferSources<'_> {
        TransferSources {
            log: &*self.services.log,
            keyring: &*self.services.keyring,
            catalogue: &self.catalogue,
            heads: self,
        }
    }
}

/// The routes; the edge of the whole server goes around them.
///
/// # Panics
/// When the table of operations and the handlers disagree: a mistake that the first start shows.
pub fn router(parts: RestParts, door: &Arc<Door>) -> Router {
    let catalogue = Catalogue::new(parts.services.chains.to_vec());
    let events = EventsParts {
        services: parts.services.clone(),
        executor: parts.executor,
        spawn: parts.spawn,
        platform: parts.platform,
    };
    let site = Arc::new(Site {
        services: parts.services,
        platform: parts.platform,
        events: Events::start(events, door.credentials().clone()),
        catalogue,
    });
    Routes::new(Arc::clone(door), Room::Reads)
        .on("listOrganizations", lists::organizations)
        .on("getOrganization", single::organization)
        .on("listApiKeys", lists::api_keys)
        .on("getApiKey", single::api_key)
        .on("listSessions", lists::sessions)
        .on("getCurrentSession", single::current_session)
        .on("listVaults", lists::vaults)
        .on("getVault", single::vault)
        .on("getAccount", single::account)
        .on("listTransfers", lists::transfers)
        .on("getTransfer", single::transfer)
        .on("listEvents", events::list)
        .on("listViews", views::list)
        .on("listQuarantine", quarantine::list)
        .finish()
        .with_state(site)
}
