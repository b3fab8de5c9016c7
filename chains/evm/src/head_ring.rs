//! The followed chain: a bounded ring of block hashes that notices reorganizations, also across a restart.
//!
//! Invariants. The ring is one unbroken chain by parent hash. A call to [`HeadRing::advance`] attaches at most
//! [`ATTACH_MAX`] blocks and walks back at most [`CAPACITY`]; it changes the ring only after everything was read, so it
//! may be cancelled at any point. A node that lags behind the ring detaches nothing. A detached block at or below the
//! highest final block ever seen is a breach of finality and is said, never smoothed over. Refuses: hashes that are not
//! 32 bytes, a node whose blocks do not link, a final block that is not in the chain that leads to the tip.

use std::collections::VecDeque;
use std::future::Future;

use alloy_primitives::B256;
use vaultstream_event_schemas::chain::{Block, BlockRef, ChainHead};

mod bytes;
pub use bytes::RingDamaged;

/// How many blocks the ring remembers; 32 KiB when kept. The longest stall of finality on Ethereum's main chain was
/// about 250 blocks.
pub const CAPACITY: usize = 1_024;
/// How many blocks one call attaches at most.
pub const ATTACH_MAX: u64 = 64;

/// What the ring asks of a node.
pub trait ReadBlocks: Sync {
    /// Why a reading failed.
    type Error: Send;
    /// Where the chain stands.
    fn head(&self) -> impl Future<Output = Result<ChainHead, Self::Error>> + Send;
    /// The canonical block at a height; `None` above the tip.
    fn block_at(&self, height: u64) -> impl Future<Output = Result<Option<Block>, Self::Error>> + Send;
    /// The block with a hash, canonical or not; `None` when the node does not have it.
    fn block_by_hash(&self, hash: &str) -> impl Future<Output = Result<Option<Block>, Self::Error>> + Send;
}

/// Why the ring did not advance. It is unchanged; ask again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError<E> {
    /// A reading failed.
    #[error("the node could not be read")]
    Node(#[source] E),
    /// The node named a block and then did not have it.
    #[error("the node does not have block {0}, which it named itself")]
    Missing(String),
    /// The node's blocks do not fit together.
    #[error("the node contradicts itself: {0}")]
    Contradiction(String),
}

/// A final block was detached: outgoing payments of the chain should stop and a person should look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The highest final block that is no longer in the chain.
    pub finalized: BlockRef,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadUpdate {
    /// Blocks that are new in the followed chain, oldest first. The block a fresh ring starts at counts as known.
    pub attached: Vec<Block>,
    /// Blocks that left the followed chain, newest first; to be handled before the attached ones.
    pub detached: Vec<Block>,
    /// Where the followed chain stands; safe and final never above its tip.
    pub head: ChainHead,
    /// How many blocks the node is ahead; above zero, call again at once.
    pub behind: u64,
    /// Set when a final block was detached.
    pub breach: Option<Breach>,
}

/// The ring. Keep [`HeadRing::to_bytes`] after each update that attached or detached something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadRing {
    /// The height of the oldest remembered block.
    base: u64,
    /// The hash of the block before it.
    base_parent: B256,
    /// Oldest first.
    hashes: VecDeque<B256>,
    /// The highest final block ever seen in the followed chain.
    finalized: Option<(u64, B256)>,
}

/// A block with its hashes read.
#[derive(Debug, Clone, Copy)]
struct Link {
    height: u64,
    hash: B256,
    parent: B256,
}

fn hash_of<E>(text: &str) -> Result<B256, FollowError<E>> {
    text.parse()
        .map_err(|_| FollowError::Contradiction(format!("`{text:.80}` is no block hash")))
}

fn reference(height: u64, hash: B256) -> BlockRef {
    BlockRef {
        hash: format!("{hash:#x}"),
        height,
    }
}

impl Link {
    fn of<E>(block: &Block) -> Result<Self, FollowError<E>> {
        Ok(Self {
            height: block.at.height,
            hash: hash_of(&block.at.hash)?,
            parent: hash_of(&block.parent)?,
        })
    }

    fn block(self) -> Block {
        Block {
            at: reference(self.height, self.hash),
            parent: format!("{:#x}", self.parent),
        }
    }
}

impl HeadRing {
    /// A ring that remembers nothing: it starts at the node's final block.
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest followed block.
    pub fn tip(&self) -> Option<BlockRef> {
        self.top().map(|link| reference(link.height, link.hash))
    }

    /// The followed block at a height, when it is remembered.
    pub fn at(&self, height: u64) -> Option<BlockRef> {
        self.hash_at(height).map(|hash| reference(height, hash))
    }

    fn hash_at(&self, height: u64) -> Option<B256> {
        let index = usize::try_from(height.checked_sub(self.base)?).ok()?;
        self.hashes.get(index).copied()
    }

    fn link_at(&self, height: u64) -> Option<Link> {
        let hash = self.hash_at(height)?;
        let below = height.checked_sub(1).and_then(|h| self.hash_at(h));
        Some(Link {
            height,
            hash,
            parent: below.unwrap_or(self.base_parent),
        })
    }

    fn top(&self) -> Option<Link> {
        let above = u64::try_from(self.hashes.len()).ok()?;
        self.link_at(self.base.checked_add(above.checked_sub(1)?)?)
    }

    fn has(&self, link: Link) -> bool {
        self.hash_at(link.height) == Some(link.hash)
    }

    /// Asks the node for its head and follows it.
    pub async fn advance<N: ReadBlocks>(&mut self, node: &N) -> Result<HeadUpdate, FollowError<N::Error>> {
        let head = node.head().await.map_err(FollowError::Node)?;
        let tip = Link::of(&head.tip)?;
        let mut next = self.clone();
        if next.hashes.is_empty() {
            next.start_at(by_hash(node, hash_of(&head.finalized.hash)?).await?);
        }
        if next.has(tip) {
            next.note_finalized(&head)?;
            *self = next;
            return Ok(self.update(Vec::new(), Vec::new(), &head, tip));
        }
        let target = next.target(node, tip).await?;
        let path = next.path_from(node, target).await?;
        let detached = next.detach_above(path.ancestor);
        let breach = next.breach(&detached);
        if path.ancestor.is_none() {
            next.start_at(by_hash(node, hash_of(&head.finalized.hash)?).await?);
        } else {
            path.links.iter().rev().for_each(|link| next.push(link.hash));
        }
        next.note_finalized(&head)?;
        let top = next
            .top()
            .ok_or_else(|| FollowError::Contradiction("the chain has no block".to_owned()))?;
        *self = next;
        let attached = if path.ancestor.is_some() {
            path.links
        } else {
            Vec::new()
        };
        let attached = attached.into_iter().rev().map(Link::block).collect();
        let mut update = self.update(attached, detached, &head, top);
        update.breach = breach;
        Ok(update)
    }

    /// Which block to walk back from: the node's tip, or a canonical block on the way when it is far ahead.
    async fn target<N: ReadBlocks>(&self, node: &N, tip: Link) -> Result<Link, FollowError<N::Error>> {
        let furthest = self.top().map_or(0, |top| top.height).saturating_add(ATTACH_MAX);
        if tip.height <= furthest {
            return Ok(tip);
        }
        let block = node.block_at(furthest).await.map_err(FollowError::Node)?;
        match block {
            Some(block) if block.at.height == furthest => Link::of(&block),
            Some(_) => Err(FollowError::Contradiction(format!(
                "asked for height {furthest}, it answered another"
            ))),
            None => Err(FollowError::Missing(furthest.to_string())),
        }
    }

    /// The way from a block back to the ring, newest first, and where it meets the ring.
    async fn path_from<N: ReadBlocks>(&self, node: &N, target: Link) -> Result<Path, FollowError<N::Error>> {
        let mut links = Vec::new();
        let mut at = target;
        loop {
            if self.has(at) {
                return Ok(Path {
                    links,
                    ancestor: Some(at.height),
                });
            }
            links.push(at);
            if at.height <= self.base {
                return Ok(Path {
                    links,
                    ancestor: None,
                });
            }
            let parent = at.parent;
            // The ring may hold the parent already; then the node need not be asked.
            at = match self.link_at(at.height - 1).filter(|link| link.hash == parent) {
                Some(link) => link,
                None => {
                    let below = by_hash(node, parent).await?;
                    if below.height.checked_add(1) != Some(at.height) {
                        return Err(FollowError::Contradiction(format!(
                            "block {parent:#x} is not one below its child"
                        )));
                    }
                    below
                }
            };
        }
    }

    /// Forgets everything and begins at a block.
    fn start_at(&mut self, link: Link) {
        self.base = link.height;
        self.base_parent = link.parent;
        self.hashes = VecDeque::from([link.hash]);
        self.finalized = None;
    }

    fn push(&mut self, hash: B256) {
        self.hashes.push_back(hash);
        if self.hashes.len() > CAPACITY
            && let Some(oldest) = self.hashes.pop_front()
        {
            self.base_parent = oldest;
            self.base = self.base.saturating_add(1);
        }
    }

    /// Removes every block above the ancestor (all without one), newest first.
    fn detach_above(&mut self, ancestor: Option<u64>) -> Vec<Block> {
        let mut detached = Vec::new();
        while let Some(top) = self.top() {
            if ancestor.is_some_and(|height| top.height <= height) {
                break;
            }
            detached.push(top.block());
            self.hashes.pop_back();
        }
        detached
    }

    /// A breach when the highest final block is among the detached ones; it is then no longer believed.
    fn breach(&mut self, detached: &[Block]) -> Option<Breach> {
        let (height, hash) = self.finalized?;
        let finalized = reference(height, hash);
        detached.iter().find(|block| block.at == finalized)?;
        self.finalized = None;
        Some(Breach { finalized })
    }

    /// Remembers the node's final block, or the tip while the ring is still behind it; never a lower one than before.
    fn note_finalized<E>(&mut self, head: &ChainHead) -> Result<(), FollowError<E>> {
        let Some(top) = self.top() else { return Ok(()) };
        let named = (head.finalized.height, hash_of(&head.finalized.hash)?);
        let reached = if named.0 > top.height {
            (top.height, top.hash)
        } else {
            named
        };
        if self.hash_at(reached.0).is_some_and(|hash| hash != reached.1) {
            return Err(FollowError::Contradiction(
                "its final block is not in the chain that leads to its tip".to_owned(),
            ));
        }
        if self.finalized.is_none_or(|(height, _)| height < reached.0) {
            self.finalized = Some(reached);
        }
        Ok(())
    }

    fn update(&self, attached: Vec<Block>, detached: Vec<Block>, head: &ChainHead, tip: Link) -> HeadUpdate {
        let lowered = |block: &BlockRef| {
            if block.height > tip.height {
                reference(tip.height, tip.hash)
            } else {
                block.clone()
            }
        };
        HeadUpdate {
            attached,
            detached,
            head: ChainHead {
                finalized: lowered(&head.finalized),
                safe: lowered(&head.safe),
                tip: tip.block(),
            },
            behind: head.tip.at.height.saturating_sub(tip.height),
            breach: None,
        }
    }
}

/// The way from a block back to the ring.
struct Path {
    /// Newest first; none of them in the ring.
    links: Vec<Link>,
    /// Where it meets the ring; `None` when it does not.
    ancestor: Option<u64>,
}

async fn by_hash<N: ReadBlocks>(node: &N, hash: B256) -> Result<Link, FollowError<N::Error>> {
    let text = format!("{hash:#x}");
    let block = node.block_by_hash(&text).await.map_err(FollowError::Node)?;
    let link = Link::of(&block.ok_or_else(|| FollowError::Missing(text.clone()))?)?;
    if link.hash == hash {
        Ok(link)
    } else {
        Err(FollowError::Contradiction(format!(
            "asked for block {text}, it answered another"
        )))
    }
}

#[cfg(test)]
mod tests;
