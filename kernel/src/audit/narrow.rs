//! Between two sealed sizes the events are not those that were sealed: which one is it?
//!
//! Two ways of rewriting leave everything else recognizable: one event put in between, behind which all others moved up,
//! and two neighbours that changed places. Each guess is tried on the tree over the interval, a changed leaf at a time, so
//! that a guess costs O(log n) hashes. What is no such case stays an interval.

use vaultstream_event_schemas::envelope::{EventRef, Hash, leaf_hash};
use vaultstream_event_schemas::merkle::{Frontier, node_hash};
use vaultstream_event_schemas::{Hlc, ShardNumber};

/// Events of an interval that are kept for guessing; a longer interval stays one.
pub(super) const MAX_INTERVAL: usize = 1 << 16;

/// What a leaf is made of, but for its position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recent {
    pub(super) event: EventRef,
    pub(super) incarnation: u32,
    pub(super) hlc: Hlc,
    pub(super) hash: Hash,
}

/// What was done, by the index of the event in the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// It was put in.
    Inserted(usize),
    /// It and the next changed places.
    Swapped(usize),
}

/// An interval whose root differs.
pub(super) struct Interval<'a> {
    pub(super) shard: ShardNumber,
    /// The tree before it.
    pub(super) base: &'a Frontier,
    /// Its events, as the log has them.
    pub(super) events: &'a [Recent],
    /// The event behind it.
    pub(super) next: Option<Recent>,
    /// The root that was sealed.
    pub(super) root: Hash,
}

impl Interval<'_> {
    /// The one guess that gives the root, when one does.
    pub(super) fn guess(&self) -> Option<Guess> {
        if self.events.is_empty() {
            return None;
        }
        self.inserted().or_else(|| self.swapped())
    }

    fn leaf(&self, index: usize, event: &Recent) -> Hash {
        let position = self.base.size() + 1 + index as u64;
        leaf_hash(self.shard, event.incarnation, position, event.hlc, &event.hash)
    }

    fn inserted(&self) -> Option<Guess> {
        let next = self.next.as_ref()?;
        let moved = self.events.iter().skip(1).chain([next]).enumerate();
        let mut tree = Tree::new(
            self.base,
            moved.map(|(index, event)| self.leaf(index, event)).collect(),
        );
        for (index, event) in self.events.iter().enumerate() {
            if tree.root() == Some(self.root) {
                return Some(Guess::Inserted(index));
            }
            tree.change(index, self.leaf(index, event));
        }
        None
    }

    /// Clocks stay with their positions: clocks that moved along have shown themselves before.
    fn swapped(&self) -> Option<Guess> {
        let leaves: Vec<Hash> = self
            .events
            .iter()
            .enumerate()
            .map(|(i, event)| self.leaf(i, event))
            .collect();
        let mut tree = Tree::new(self.base, leaves.clone());
        for (index, pair) in self.events.windows(2).enumerate() {
            let [first, second] = pair else { continue };
            let at = |event: &Recent, clock: &Recent| Recent {
                hlc: clock.hlc,
                ..*event
            };
            tree.change(index, self.leaf(index, &at(second, first)));
            tree.change(index + 1, self.leaf(index + 1, &at(first, second)));
            if tree.root() == Some(self.root) {
                return Some(Guess::Swapped(index));
            }
            tree.change(index, leaves[index]);
            tree.change(index + 1, leaves[index + 1]);
        }
        None
    }
}

/// The right edge of a tree: every node over the interval, level by level from the leaves up. A node without a right
/// neighbour stands on the next level as it is, which is the shape of RFC 6962.
struct Tree {
    levels: Vec<Vec<Hash>>,
    /// Nodes that stand before the interval on the level of the leaves: none or one.
    before: usize,
}

impl Tree {
    fn new(base: &Frontier, leaves: Vec<Hash>) -> Self {
        // The smallest whole subtree stands last.
        let mut whole = base.hashes().iter().rev();
        let before = usize::from(base.size() & 1 == 1);
        let mut levels = Vec::new();
        let (mut first, mut nodes) = (base.size(), leaves);
        loop {
            if first & 1 == 1
                && let Some(left) = whole.next()
            {
                nodes.insert(0, *left);
                first -= 1;
            }
            let is_root = first == 0 && nodes.len() == 1;
            let above = nodes.chunks(2).map(parent).collect();
            levels.push(nodes);
            if is_root {
                return Self { levels, before };
            }
            (first, nodes) = (first / 2, above);
        }
    }

    /// Puts another leaf at an index of the interval.
    fn change(&mut self, index: usize, leaf: Hash) {
        let (mut at, mut node) = (index + self.before, leaf);
        let mut levels = self.levels.iter_mut().peekable();
        while let Some(level) = levels.next() {
            if let Some(changed) = level.get_mut(at) {
                *changed = node;
            }
            let start = at & !1;
            node = level
                .get(start..(start + 2).min(level.len()))
                .map_or(node, parent);
            // A level that begins with a node from before the interval is one longer than what stands below it gives.
            at = at / 2
                + levels
                    .peek()
                    .map_or(0, |above| above.len() - level.len().div_ceil(2));
        }
    }

    fn root(&self) -> Option<Hash> {
        self.levels.last()?.first().copied()
    }
}

fn parent(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node_hash(left, right),
        [one] => *one,
        _ => Hash::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_should_follow_every_change_behind_every_base() {
        let leaf = |n: u64| [u8::try_from(n % 251).expect("small"); 32];
        for size in 0..20 {
            let mut base = Frontier::default();
            (0..size).for_each(|n| base.push(leaf(n)));
            for length in 1..12u64 {
                let mut leaves: Vec<Hash> = (0..length).map(|n| leaf(size + n)).collect();
                let root = |leaves: &[Hash]| {
                    let mut tree = base.clone();
                    leaves.iter().for_each(|leaf| tree.push(*leaf));
                    Some(tree.root())
                };
                let mut tree = Tree::new(&base, leaves.clone());
                assert_eq!(tree.root(), root(&leaves), "{size} and {length}");
                for index in 0..leaves.len() {
                    leaves[index] = leaf(200 + index as u64);
                    tree.change(index, leaves[index]);
                    assert_eq!(
                        tree.root(),
                        root(&leaves),
                        "{size} and {length}, changed at {index}"
                    );
                }
            }
        }
    }
}
