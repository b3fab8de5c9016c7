//! What the reads are made of: ports and registries that the binary puts in.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use vaultstream_domain::ports::{Clock, EventLog, Keyring};
use vaultstream_event_schemas::chain::{AssetSettings, ChainHead, ChainSettings};
use vaultstream_event_schemas::token::MacKey;
use vaultstream_event_schemas::{AssetId, ChainId, Timestamp};
use vaultstream_projectors::read::Reads;

use crate::answers::Answers;
use crate::drain::Drain;
use crate::hub::Hub;
use crate::observer::Observer;

/// A chain's head and when it was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadSeen {
    /// Where the chain stands.
    pub head: ChainHead,
    /// When this tip was first seen, by the process's clock.
    pub seen_at: Timestamp,
}

/// The heads of all chains that have answered. Heads are progress, not events: they come from the watchers.
pub type Heads = BTreeMap<ChainId, HeadSeen>;

/// Everything the query side asks. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The log: timelines and subscriptions.
    pub log: Arc<dyn EventLog>,
    /// The views.
    pub reads: Reads,
    /// The subscription hub.
    pub hub: Hub,
    /// Answers that were given before.
    pub answers: Answers,
    /// Opens memos.
    pub keyring: Arc<dyn Keyring>,
    /// The chains that are served.
    pub chains: Arc<[ChainSettings]>,
    /// Where they stand.
    pub heads: watch::Receiver<Heads>,
    /// Seals cursors and tokens.
    pub mac: MacKey,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
    /// How sockets are let go when the process stops.
    pub drain: Drain,
}

impl Services {
    /// The settings of a chain.
    pub fn chain(&self, id: &ChainId) -> Option<&ChainSettings> {
        self.chains.iter().find(|c| &c.id == id)
    }

    /// The settings of an asset.
    pub fn asset(&self, id: &AssetId) -> Option<&AssetSettings> {
        self.chain(&id.chain())?.asset(id)
    }

    /// The asset that pays the fees of a chain.
    pub fn native(&self, chain: &ChainId) -> Option<&AssetSettings> {
        self.chain(chain)?.native()
    }

    /// Where a chain stands, when its node has answered.
    pub fn head(&self, chain: &ChainId) -> Option<HeadSeen> {
        self.heads.borrow().get(chain).cloned()
    }
}
