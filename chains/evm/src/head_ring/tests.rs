//! The ring against a node with forks, gaps and lies, and against a model that applies every update.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::FutureExt;
use proptest::prelude::*;

use super::*;

/// A node with a tree of blocks, one of whose branches is canonical.
#[derive(Default)]
struct Node {
    blocks: HashMap<String, Block>,
    canonical: Vec<Block>,
    finalized_depth: usize,
    salt: u64,
    asked: Mutex<usize>,
    broken: bool,
}

fn hash(height: u64, salt: u64) -> String {
    format!("0x{height:032x}{salt:032x}")
}

impl Node {
    fn new(length: u64, finalized_depth: usize) -> Self {
        let mut node = Self {
            finalized_depth,
            ..Self::default()
        };
        node.grow(length);
        node
    }

    fn grow(&mut self, by: u64) {
        for _ in 0..by {
            let height = self.canonical.len() as u64;
            let parent = self
                .canonical
                .last()
                .map_or_else(|| hash(0, 99), |b| b.at.hash.clone());
            let block = Block {
                at: BlockRef {
                    hash: hash(height, self.salt),
                    height,
                },
                parent,
            };
            self.blocks.insert(block.at.hash.clone(), block.clone());
            self.canonical.push(block);
        }
    }

    /// Replaces the newest `depth` blocks by `length` others.
    fn reorganize(&mut self, depth: usize, length: u64) {
        self.canonical.truncate(self.canonical.len() - depth);
        self.salt += 1;
        self.grow(length);
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().expect("no test panics while asking"))
    }

    fn count(&self) {
        *self.asked.lock().expect("no test panics while asking") += 1;
    }
}

impl ReadBlocks for Node {
    type Error = ();

    async fn head(&self) -> Result<ChainHead, ()> {
        let tip = self.canonical.last().cloned().ok_or(())?;
        let below = |depth: usize| {
            self.canonical[self.canonical.len().saturating_sub(depth + 1)]
                .at
                .clone()
        };
        Ok(ChainHead {
            finalized: below(self.finalized_depth),
            safe: below(self.finalized_depth / 2),
            tip,
        })
    }

    async fn block_at(&self, height: u64) -> Result<Option<Block>, ()> {
        self.count();
        let index = usize::try_from(height).map_err(|_| ())?;
        Ok(self.canonical.get(index).cloned())
    }

    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, ()> {
        self.count();
        if self.broken {
            Err(())
        } else {
            Ok(self.blocks.get(hash).cloned())
        }
    }
}

fn heights(blocks: &[Block]) -> Vec<u64> {
    blocks.iter().map(|b| b.at.height).collect()
}

/// The node here answers at once, so no runtime is needed.
fn tried(ring: &mut HeadRing, node: &Node) -> Result<HeadUpdate, FollowError<()>> {
    ring.advance(node).now_or_never().expect("nothing waits")
}

fn step(ring: &mut HeadRing, node: &Node) -> HeadUpdate {
    tried(ring, node).expect("the node answers")
}

/// Advances until the ring has caught up.
fn catch_up(ring: &mut HeadRing, node: &Node) -> Vec<HeadUpdate> {
    let mut updates = Vec::new();
    loop {
        updates.push(step(ring, node));
        let update = updates.last().expect("just pushed");
        let lost = update.attached.is_empty() && !update.detached.is_empty();
        if update.behind == 0 && !lost {
            return updates;
        }
    }
}

#[test]
fn fresh_ring_should_start_at_the_final_block() {
    let node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    let update = step(&mut ring, &node);
    assert_eq!(heights(&update.attached), [6, 7, 8, 9]);
    assert_eq!((update.head.finalized.height, update.behind), (5, 0));
    assert_eq!(
        ring.at(5),
        Some(node.canonical[5].at.clone()),
        "the start is remembered"
    );
    assert_eq!(ring.at(4), None);
    assert_eq!(ring.tip(), Some(node.canonical[9].at.clone()));
}

#[test]
fn one_new_block_should_cost_no_question_but_the_head() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    node.asked();
    assert!(step(&mut ring, &node).attached.is_empty());
    node.grow(1);
    assert_eq!(heights(&step(&mut ring, &node).attached), [10]);
    assert_eq!(node.asked(), 0);
}

#[test]
fn reorganization_should_detach_newest_first_and_attach_oldest_first() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    let old = node.canonical.clone();
    node.reorganize(3, 4);
    let update = step(&mut ring, &node);
    assert_eq!(update.detached, [&old[9..], &old[8..9], &old[7..8]].concat());
    assert_eq!(update.attached, node.canonical[7..]);
    assert_eq!(update.breach, None);
    assert_eq!(ring.at(9), Some(node.canonical[9].at.clone()));
}

#[test]
fn reorganization_during_a_restart_should_be_noticed() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    let kept = ring.to_bytes();
    node.reorganize(3, 5);
    let mut ring = HeadRing::from_bytes(&kept).expect("our own bytes");
    let update = step(&mut ring, &node);
    assert_eq!(heights(&update.detached), [9, 8, 7]);
    assert_eq!(heights(&update.attached), [7, 8, 9, 10, 11]);
}

#[test]
fn long_absence_should_be_caught_up_in_bounded_steps() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    node.reorganize(2, 200);
    node.asked();
    let first = step(&mut ring, &node);
    assert_eq!(heights(&first.detached), [9, 8]);
    assert_eq!(first.head.tip.at.height, 9 + ATTACH_MAX);
    assert_eq!(
        first.head.finalized, first.head.tip.at,
        "what is followed so far is final"
    );
    assert_eq!(first.behind, 207 - 9 - ATTACH_MAX);
    assert!(node.asked() <= 68);
    let updates = catch_up(&mut ring, &node);
    assert_eq!(updates.len(), 3);
    assert_eq!(ring.tip(), Some(node.canonical[207].at.clone()));
}

#[test]
fn detached_final_block_should_be_a_breach() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    node.grow(2);
    step(&mut ring, &node);
    let finalized = node.canonical[7].at.clone();
    node.reorganize(5, 6);
    let update = step(&mut ring, &node);
    assert_eq!(update.breach, Some(Breach { finalized }));
    assert_eq!(heights(&update.detached), [11, 10, 9, 8, 7]);
    let after = step(&mut ring, &node);
    assert_eq!((after.breach, after.detached.len()), (None, 0), "said once");
}

#[test]
fn another_chain_altogether_should_be_a_breach_and_a_new_start() {
    let mut node = Node::new(100, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    let old_tip = ring.tip();
    node.reorganize(100, 20);
    let update = step(&mut ring, &node);
    assert_eq!(update.detached.first().map(|b| b.at.clone()), old_tip);
    assert_eq!(update.detached.len(), 5);
    assert!(update.breach.is_some_and(|b| b.finalized.height == 95));
    assert_eq!(
        (update.attached.len(), update.behind),
        (0, 4),
        "the next call follows"
    );
    assert_eq!(heights(&step(&mut ring, &node).attached), [16, 17, 18, 19]);
}

#[test]
fn lagging_node_should_detach_nothing() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    let newest = node.canonical.split_off(8);
    let update = step(&mut ring, &node);
    assert_eq!((update.attached.len(), update.detached.len()), (0, 0));
    assert_eq!(
        update.head.tip.at.height, 7,
        "confirmations are counted from what is sure now"
    );
    assert_eq!(ring.tip().map(|t| t.height), Some(9));
    node.canonical.extend(newest);
    assert_eq!(step(&mut ring, &node).head.tip.at.height, 9);
}

#[test]
fn failures_should_leave_the_ring_as_it_was() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    let before = ring.clone();
    node.reorganize(3, 6);
    node.broken = true;
    assert_eq!(tried(&mut ring, &node), Err(FollowError::Node(())));
    node.broken = false;
    let lost = node.blocks.remove(&node.canonical[9].at.hash).expect("a block");
    let missing = tried(&mut ring, &node);
    assert!(matches!(missing, Err(FollowError::Missing(hash)) if hash == lost.at.hash));
    let name = lost.at.hash.clone();
    let mut wrong = lost;
    wrong.at.height = 3;
    node.blocks.insert(name, wrong);
    let contradiction = tried(&mut ring, &node);
    assert!(matches!(contradiction, Err(FollowError::Contradiction(_))));
    node.canonical.last_mut().expect("a tip").at.hash = "0x12".to_owned();
    let contradiction = tried(&mut ring, &node);
    assert!(matches!(contradiction, Err(FollowError::Contradiction(_))));
    assert_eq!(ring, before);
}

#[test]
fn ring_should_stay_bounded_and_its_bytes_whole() {
    let mut node = Node::new(10, 4);
    let mut ring = HeadRing::new();
    step(&mut ring, &node);
    node.grow(3_000);
    catch_up(&mut ring, &node);
    assert_eq!(ring.hashes.len(), CAPACITY);
    let bytes = ring.to_bytes();
    assert!(bytes.len() < 33 * 1024, "{}", bytes.len());
    assert_eq!(HeadRing::from_bytes(&bytes), Ok(ring.clone()));
    let oldest = ring.link_at(ring.base).expect("the oldest");
    assert_eq!(
        oldest.block(),
        node.canonical[usize::try_from(ring.base).expect("small")]
    );
    for place in (0..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert_eq!(HeadRing::from_bytes(&damaged), Err(RingDamaged), "byte {place}");
        assert_eq!(
            HeadRing::from_bytes(&bytes[..place]),
            Err(RingDamaged),
            "cut at {place}"
        );
    }
    assert_eq!(
        HeadRing::from_bytes(&HeadRing::new().to_bytes()),
        Ok(HeadRing::new())
    );
}

#[derive(Debug, Clone)]
enum Happening {
    Grow(u64),
    Reorganize(usize, u64),
    Restart,
    Advance,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1u64..90).prop_map(Happening::Grow),
        (1usize..9, 0u64..12).prop_map(|(depth, length)| Happening::Reorganize(depth, length)),
        Just(Happening::Restart),
        Just(Happening::Advance),
    ]
}

proptest! {
    /// Whoever applies detached then attached holds exactly the node's canonical chain, whatever happens.
    #[test]
    fn applying_updates_should_rebuild_the_canonical_chain(story in prop::collection::vec(happening(), 1..40)) {
        let mut node = Node::new(20, 12);
        let mut ring = HeadRing::new();
        let mut mine: Vec<Block> = node.canonical[..8].to_vec();
        let mut apply = |update: HeadUpdate| -> Result<(), TestCaseError> {
            prop_assert_eq!(update.breach, None);
            for block in update.detached {
                prop_assert_eq!(mine.pop(), Some(block));
            }
            for block in update.attached {
                prop_assert_eq!(mine.last().map(|b| &b.at.hash), Some(&block.parent));
                mine.push(block);
            }
            Ok(())
        };
        apply(step(&mut ring, &node))?;
        for event in story {
            match event {
                Happening::Grow(by) => node.grow(by),
                Happening::Reorganize(depth, length) => {
                    node.reorganize(depth, depth as u64 + length);
                    for update in catch_up(&mut ring, &node) { apply(update)?; }
                }
                Happening::Restart => ring = HeadRing::from_bytes(&ring.to_bytes()).expect("our own bytes"),
                Happening::Advance => apply(step(&mut ring, &node))?,
            }
        }
        for update in catch_up(&mut ring, &node) { apply(update)?; }
        prop_assert_eq!(mine, node.canonical);
    }
}
