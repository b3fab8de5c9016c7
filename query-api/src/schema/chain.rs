//! Chains and where they stand.

use async_graphql::{ID, SimpleObject};
use vaultstream_event_schemas::Timestamp;
use vaultstream_event_schemas::chain::ChainSettings;

use super::asset::{Asset, Block};
use super::scalar::Long;
use crate::services::{HeadSeen, Services};

/// A chain this installation serves.
#[derive(SimpleObject, Debug, Clone)]
pub struct Chain {
    /// CAIP-2 name.
    pub id: ID,
    /// Short unique name.
    pub slug: String,
    /// A person's name for it.
    pub name: String,
    /// Whether its money is worth nothing.
    pub sandbox: bool,
    /// What its accounts can hold, the native asset first.
    pub assets: Vec<Asset>,
    /// Where it stands; null while its node has not answered yet.
    pub head: Option<Head>,
}

/// Where a chain stands.
#[derive(SimpleObject, Debug, Clone)]
pub struct Head {
    /// The height of the newest block.
    pub height: Long,
    /// The hash of the newest block, lower case.
    pub hash: String,
    /// Milliseconds since this head was first seen.
    pub age_ms: Long,
    /// The newest block the chain calls safe.
    pub safe: Block,
    /// The newest block the chain calls final.
    pub finalized: Block,
}

impl Head {
    fn new(seen: &HeadSeen, now: Timestamp) -> Self {
        let head = &seen.head;
        Self {
            height: Long(head.tip.at.height),
            hash: head.tip.at.hash.clone(),
            age_ms: Long(now.unix_ms().saturating_sub(seen.seen_at.unix_ms())),
            safe: Block::from(&head.safe),
            finalized: Block::from(&head.finalized),
        }
    }
}

impl Chain {
    /// A chain as it stands now.
    pub fn new(services: &Services, settings: &ChainSettings) -> Self {
        let seen = services.head(&settings.id);
        Self {
            id: ID::from(&settings.id),
            slug: settings.slug.to_string(),
            name: settings.name.clone(),
            sandbox: settings.sandbox,
            assets: Asset::of_chain(settings),
            head: seen.map(|seen| Head::new(&seen, services.clock.now())),
        }
    }
}
