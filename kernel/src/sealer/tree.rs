//! The tree of one shard as the sealer carries it, and the note it is kept in.

use vaultstream_domain::ports::event_log::Leaf;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::checkpoint::ShardRoot;
use vaultstream_event_schemas::envelope::{Hash, leaf_hash};
use vaultstream_event_schemas::merkle::Frontier;

/// The leaf of a shard's tree.
pub(super) fn leaf_of(shard: ShardNumber, leaf: &Leaf) -> Hash {
    leaf_hash(shard, leaf.incarnation, leaf.position, leaf.hlc, &leaf.hash)
}

/// A shard, sealed up to some position.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) shard: ShardNumber,
    pub(super) incarnation: u32,
    pub(super) frontier: Frontier,
    /// The hash of the last event, when it was read here or noted.
    pub(super) last: Option<Hash>,
}

impl Tree {
    pub(super) fn empty(shard: ShardNumber, incarnation: u32) -> Self {
        Self {
            shard,
            incarnation,
            frontier: Frontier::default(),
            last: None,
        }
    }

    pub(super) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Takes the next leaf; `false` when it is not the next.
    pub(super) fn push(&mut self, leaf: &Leaf) -> bool {
        if leaf.position != self.size() + 1 {
            return false;
        }
        self.frontier.push(leaf_of(self.shard, leaf));
        self.last = Some(leaf.hash);
        true
    }

    pub(super) fn root(&self) -> ShardRoot {
        ShardRoot {
            shard: self.shard,
            incarnation: self.incarnation,
            size: self.size(),
            root: self.frontier.root(),
        }
    }

    /// The note: size, hash of the last event, hashes of the frontier.
    pub(super) fn to_note(&self) -> Vec<u8> {
        let mut note = self.size().to_be_bytes().to_vec();
        note.extend_from_slice(&self.last.unwrap_or_default());
        for hash in self.frontier.hashes() {
            note.extend_from_slice(hash);
        }
        note
    }

    /// The tree of a note, when it is no larger than what was sealed. Whether it is a part of that shows when it has
    /// grown to the same size: it then has the sealed root, or it never was one.
    pub(super) fn of_note(note: &[u8], sealed: &ShardRoot) -> Option<Self> {
        let (size, rest) = note.split_first_chunk::<8>()?;
        let (last, hashes) = rest.split_first_chunk::<32>()?;
        let (hashes, left_over) = hashes.as_chunks::<32>();
        let frontier = Frontier::from_parts(u64::from_be_bytes(*size), hashes.to_vec())?;
        let fits = left_over.is_empty() && frontier.size() <= sealed.size;
        fits.then(|| Self {
            shard: sealed.shard,
            incarnation: sealed.incarnation,
            last: (frontier.size() > 0).then_some(*last),
            frontier,
        })
    }
}

/// The name of a shard's note.
pub(super) fn note_name(shard: ShardNumber) -> String {
    format!("sealer/{shard}")
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::Hlc;

    use super::*;

    fn tree(size: u64) -> Tree {
        let mut tree = Tree::empty(ShardNumber(3), 1);
        for position in 1..=size {
            let hash = [u8::try_from(position).expect("small"); 32];
            assert!(tree.push(&Leaf {
                position,
                hlc: Hlc(position * 4),
                incarnation: 1,
                hash
            }));
        }
        tree
    }

    #[test]
    fn note_should_come_back_and_grow_to_the_sealed_root() {
        for size in [0, 1, 2, 100] {
            let kept = tree(size);
            let note = kept.to_note();
            let read = Tree::of_note(&note, &kept.root()).expect("the same");
            assert_eq!(
                (read.size(), read.root(), read.last),
                (size, kept.root(), kept.last)
            );
            let mut older = Tree::of_note(&note, &tree(size + 1).root()).expect("a part of it");
            let last = Leaf {
                position: size + 1,
                hlc: Hlc((size + 1) * 4),
                incarnation: 1,
                hash: [u8::try_from(size + 1).expect("small"); 32],
            };
            assert!(older.push(&last));
            assert_eq!(older.root(), tree(size + 1).root());
            assert!(Tree::of_note(&note[..note.len() - 1], &kept.root()).is_none());
            if let Some(smaller) = size.checked_sub(1) {
                assert!(
                    Tree::of_note(&note, &tree(smaller).root()).is_none(),
                    "it is larger"
                );
            }
        }
    }

    #[test]
    fn leaf_that_is_not_the_next_should_not_be_taken() {
        let mut tree = tree(2);
        let leaf = |position| Leaf {
            position,
            hlc: Hlc(99),
            incarnation: 1,
            hash: [0; 32],
        };
        assert!(!tree.push(&leaf(2)) && !tree.push(&leaf(4)) && tree.push(&leaf(3)));
    }
}
