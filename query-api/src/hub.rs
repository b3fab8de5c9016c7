//! The subscription hub: tails every shard of the log and hands what happened to the subscribers it concerns.
//!
//! Invariants. An item goes out only once every view that is read has folded it, so what a subscriber is told, a query
//! then finds. Items of a shard go out in order, and *published* advances under the same lock that hands them out: a
//! reader that takes its place under that lock knows exactly which positions it must read from the log itself.
//! Rings are bounded and shared; a reader that falls out of its ring goes back to the log, so nothing is ever left out
//! and nobody waits for anybody. The hub keeps no state about clients: a cursor resumes on any node.

mod change;
mod cursor;
mod folded;
mod item;
mod reader;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit, broadcast, watch};
use vaultstream_domain::ports::{Clock, EventLog, Spawn};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{OrganizationId, ShardNumber, VaultId};

pub use change::{Changes, Key};
pub use cursor::{open_cursor, seal_cursor};
pub use item::Item;
pub use reader::{Delivery, Reader};

use crate::observer::Observer;
use crate::refusal::Refusal;

/// Items a topic of a whole organization keeps for its readers; as many as one group commit may carry.
pub const ORGANIZATION_RING: usize = 1_024;
/// Items a vault's topic keeps for its readers.
pub const VAULT_RING: usize = 64;
/// How often in a row a reader of the log kind may fall out of its ring before it is closed with its cursor.
pub const MAX_LAPS: u32 = 8;
/// Readers that may scan the log at the same time.
pub const MAX_SCANS: usize = 8;

/// How far the views have come, as the hub asks it.
#[async_trait]
pub trait Folded: Send + Sync {
    /// The place up to which every view that is read has folded a shard.
    async fn place(&self, shard: ShardNumber) -> Result<Place, Refusal>;
    /// Returns when the views may have passed `place`; may return early, never later than a second.
    async fn wait_beyond(&self, shard: ShardNumber, place: Place);
}

/// Whose items: those of an organization, or of one of its vaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Topic {
    /// The tenant.
    pub organization: OrganizationId,
    /// Only this vault's.
    pub vault: Option<VaultId>,
}

impl Topic {
    fn takes(&self, item: &Item) -> bool {
        self.organization == item.organization && (self.vault.is_none() || self.vault == item.vault)
    }

    const fn ring(&self) -> usize {
        if self.vault.is_some() {
            VAULT_RING
        } else {
            ORGANIZATION_RING
        }
    }
}

struct Live {
    published: Positions,
    topics: HashMap<Topic, broadcast::Sender<Arc<Item>>>,
}

/// What the hub runs on.
pub struct HubParts {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// How far the views have come.
    pub folded: Arc<dyn Folded>,
    /// Time, to tell how late items go out.
    pub clock: Arc<dyn Clock>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
}

struct Inner {
    parts: HubParts,
    live: Mutex<Live>,
    scans: Semaphore,
    moved: watch::Sender<u64>,
    owners: item::Owners,
}

/// The hub; cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

impl Hub {
    /// Takes its place at the log's heads and starts one task a shard.
    pub async fn init(parts: HubParts, spawn: &dyn Spawn) -> Result<Self, Refusal> {
        let mut published = Positions::default();
        for (shard, head) in parts.log.heads().await? {
            let place = parts.folded.place(shard).await?;
            // what the views still have to fold goes out when they have folded it
            let position = head.position.min(place.position);
            published.0.insert(
                shard,
                Place {
                    incarnation: head.incarnation,
                    position,
                },
            );
        }
        let places: Vec<_> = published.0.iter().map(|(s, p)| (*s, *p)).collect();
        let inner = Arc::new(Inner {
            parts,
            live: Mutex::new(Live {
                published,
                topics: HashMap::new(),
            }),
            scans: Semaphore::new(MAX_SCANS),
            moved: watch::Sender::new(0),
            owners: item::Owners::new(),
        });
        for (shard, place) in places {
            spawn.spawn(
                "hub_tail",
                Box::pin(tail::run(Arc::downgrade(&inner), shard, place)),
            );
        }
        Ok(Self { inner })
    }

    /// What has gone out so far.
    pub fn published(&self) -> Positions {
        self.inner.locked().published.clone()
    }

    /// Reads a topic from `after` on, or from now on. A cursor of another life of a shard is refused.
    pub fn read(&self, topic: Topic, after: Option<Positions>) -> Result<Reader, Refusal> {
        Reader::try_new(Arc::clone(&self.inner), topic, after)
    }

    /// Room to read a part of the log's history; waits for it. At most [`MAX_SCANS`] have it at a time.
    pub async fn scan_turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let turn = self.inner.scans.acquire().await;
        turn.map_err(|_| Refusal::of(vaultstream_event_schemas::ErrorCode::Overloaded))
    }

    /// Hears each time that something went out.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.inner.moved.subscribe()
    }

    /// How many read, and how many topics.
    pub fn readers(&self) -> (usize, usize) {
        let live = self.inner.locked();
        let readers = live.topics.values().map(broadcast::Sender::receiver_count);
        (readers.sum(), live.topics.len())
    }
}

impl Inner {
    fn locked(&self) -> std::sync::MutexGuard<'_, Live> {
        // the map and the positions are valid after every statement that touches them
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a topic and names the positions that went out before.
    fn join(&self, topic: Topic) -> (broadcast::Receiver<Arc<Item>>, Positions) {
        let mut live = self.locked();
        let receiver = live
            .topics
            .entry(topic)
            .or_insert_with(|| broadcast::channel(topic.ring()).0)
            .subscribe();
        (receiver, live.published.clone())
    }

    /// Hands items of one shard out, in order.
    fn publish(&self, shard: ShardNumber, upto: Place, items: Vec<Item>) {
        let mut live = self.locked();
        for item in items {
            let item = Arc::new(item);
            let whole = Topic {
                organization: item.organization,
                vault: None,
            };
            let vault = item.vault.map(|v| Topic {
                vault: Some(v),
                ..whole
            });
            for topic in [Some(whole), vault].into_iter().flatten() {
                let gone = live
                    .topics
                    .get(&topic)
                    .is_some_and(|t| t.send(Arc::clone(&item)).is_err());
                if gone {
                    live.topics.remove(&topic);
                }
            }
        }
        live.published.0.insert(shard, upto);
        drop(live);
        self.moved.send_modify(|times| *times = times.wrapping_add(1));
    }
}
