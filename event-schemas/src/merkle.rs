//! Merkle trees in the shape of RFC 6962 §2.1: roots that grow by one leaf at a time, and paths from a leaf to a root.
//!
//! A node is SHA-256(0x01 ‖ left ‖ right); leaves come hashed, with 0x00 in front, from
//! [`leaf_hash`](crate::envelope::leaf_hash). Invariants: a frontier holds one hash for every bit of its size that is
//! set, so a tree of *n* leaves is carried on in O(log n) memory and one more leaf costs O(1) hashes on average. Refuses:
//! a frontier whose hashes do not fit its size, a path of another length than its leaf has.

use sha2::{Digest, Sha256};

use crate::envelope::Hash;

/// The most hashes a path has: a tree of 2⁶⁴ leaves is as high. 64 × 32 bytes are the 2 KiB a path is promised to fit.
pub const MAX_PATH: usize = 64;

/// The root of a tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The node over two others.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1u8]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// What is kept of a tree so that it can grow: the roots of its whole subtrees, the largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// A frontier that was kept; `None` when the hashes do not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (u32::try_from(hashes.len()) == Ok(size.count_ones())).then_some(Self { size, hashes })
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the whole subtrees, the largest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Takes the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            size >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut from_the_right = self.hashes.iter().rev();
        let Some(last) = from_the_right.next() else {
            return empty_root();
        };
        from_the_right.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// A subtree beside the way from a leaf to the root: leaves `first..end`, in [`Self::hashed`].
#[derive(Debug, Clone)]
struct Beside {
    first: u64,
    end: u64,
    hashed: Frontier,
}

/// Gathers the path of one leaf while all leaves of the tree pass by, in O(log n) memory.
#[derive(Debug, Clone)]
pub struct PathBuilder {
    index: u64,
    size: u64,
    next: u64,
    /// In the order of the path: the lowest first.
    beside: Vec<Beside>,
    /// Indices into `beside` in the order of the leaves.
    order: Vec<usize>,
    at: usize,
}

impl PathBuilder {
    /// For leaf `index`, from 0, of a tree with `size` leaves; `None` when it has no such leaf.
    pub fn try_new(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut first, mut end) = (0, size);
        let mut beside = Vec::new();
        while end - first > 1 {
            let split = first + largest_power_below(end - first);
            let (a, b) = if index < split {
                (split, end)
            } else {
                (first, split)
            };
            beside.push(Beside {
                first: a,
                end: b,
                hashed: Frontier::default(),
            });
            if index < split {
                end = split;
            } else {
                first = split;
            }
        }
        beside.reverse();
        let mut order: Vec<usize> = (0..beside.len()).collect();
        order.sort_by_key(|i| beside[*i].first);
        Some(Self {
            index,
            size,
            next: 0,
            beside,
            order,
            at: 0,
        })
    }

    /// The next leaf of the tree passes by.
    pub fn pass(&mut self, leaf: Hash) {
        let position = self.next;
        self.next += 1;
        if position == self.index {
            return;
        }
        while let Some(which) = self.order.get(self.at).copied() {
            let subtree = &mut self.beside[which];
            if position < subtree.end {
                if position >= subtree.first {
                    subtree.hashed.push(leaf);
                }
                return;
            }
            self.at += 1;
        }
    }

    /// The path, the lowest hash first; `None` unless every leaf has passed.
    pub fn finish(&self) -> Option<Vec<Hash>> {
        let path = self.beside.iter().map(|subtree| subtree.hashed.root());
        (self.next == self.size).then(|| path.collect())
    }
}

const fn largest_power_below(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root that a leaf and its path lead to (RFC 9162 §2.1.3.2); `None` when no tree of that size has such a path.
pub fn root_of_path(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    if index >= size || path.len() > MAX_PATH {
        return None;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut root = leaf;
    for hash in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = node_hash(hash, &root);
            if node & 1 == 0 {
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            }
        } else {
            root = node_hash(&root, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests;
