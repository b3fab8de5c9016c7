//! A Merkle Patricia trie in memory (yellow paper, appendix D), for real state, storage, transaction and receipt roots.
//!
//! Each node keeps its encoded reference until something below it changes, so the root after a block costs the paths
//! that the block touched, not the size of the state. Values are never empty: to remove a key, call `remove`.

use revm::primitives::B256;
use rlp::RlpStream;

use crate::hash::{EMPTY_ROOT, keccak};

/// A trie from byte keys to byte values. Keys are at most 32 bytes, which bounds the recursion at 64 nibbles.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    root: Option<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// How a parent refers to this node: its RLP if shorter than 32 bytes, else the RLP of its hash.
    reference: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Kind {
    Leaf {
        path: Vec<u8>,
        value: Vec<u8>,
    },
    Extension {
        path: Vec<u8>,
        child: Box<Node>,
    },
    Branch {
        children: [Option<Box<Node>>; 16],
        value: Option<Vec<u8>>,
    },
}

impl Trie {
    pub(crate) fn insert(&mut self, key: &[u8], value: Vec<u8>) {
        debug_assert!(!value.is_empty(), "an empty value means absence; use remove");
        let root = self.root.take();
        self.root = Some(insert(root, &nibbles(key), value));
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.root = self.root.take().and_then(|root| remove(*root, &nibbles(key)));
    }

    /// The root hash; of an empty trie, [`EMPTY_ROOT`].
    pub(crate) fn root(&mut self) -> B256 {
        match &mut self.root {
            None => EMPTY_ROOT,
            Some(node) => keccak(&encode(node)),
        }
    }
}

/// The root of a list: keys are the RLP of the index, as blocks commit to transactions, receipts and withdrawals.
pub(crate) fn ordered_root(items: impl IntoIterator<Item = Vec<u8>>) -> B256 {
    let mut trie = Trie::default();
    for (index, item) in items.into_iter().enumerate() {
        trie.insert(&rlp::encode(&(index as u64)), item);
    }
    trie.root()
}

fn nibbles(key: &[u8]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}

fn node(kind: Kind) -> Box<Node> {
    Box::new(Node {
        kind,
        reference: None,
    })
}

fn branch(children: [Option<Box<Node>>; 16], value: Option<Vec<u8>>) -> Box<Node> {
    node(Kind::Branch { children, value })
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

fn no_children() -> [Option<Box<Node>>; 16] {
    std::array::from_fn(|_| None)
}

/// An extension over `child`, or `child` itself when the path is empty.
fn extended(path: &[u8], child: Box<Node>) -> Box<Node> {
    if path.is_empty() {
        child
    } else {
        node(Kind::Extension {
            path: path.to_vec(),
            child,
        })
    }
}

fn insert(at: Option<Box<Node>>, path: &[u8], new: Vec<u8>) -> Box<Node> {
    let Some(at) = at else {
        return node(Kind::Leaf {
            path: path.to_vec(),
            value: new,
        });
    };
    match at.kind {
        Kind::Leaf { path: old, value } => insert_at_leaf(old, value, path, new),
        Kind::Extension { path: old, child } => insert_at_extension(old, child, path, new),
        Kind::Branch { mut children, value } => match path.split_first() {
            None => branch(children, Some(new)),
            Some((first, rest)) => {
                let slot = usize::from(*first);
                children[slot] = Some(insert(children[slot].take(), rest, new));
                branch(children, value)
            }
        },
    }
}

fn insert_at_leaf(old: Vec<u8>, value: Vec<u8>, path: &[u8], new: Vec<u8>) -> Box<Node> {
    if old == path {
        return node(Kind::Leaf {
            path: old,
            value: new,
        });
    }
    let shared = common_prefix(&old, path);
    let mut fork = branch(no_children(), None);
    fork = insert(Some(fork), &old[shared..], value);
    fork = insert(Some(fork), &path[shared..], new);
    extended(&path[..shared], fork)
}

fn insert_at_extension(old: Vec<u8>, child: Box<Node>, path: &[u8], new: Vec<u8>) -> Box<Node> {
    let shared = common_prefix(&old, path);
    if shared == old.len() {
        let child = insert(Some(child), &path[shared..], new);
        return node(Kind::Extension { path: old, child });
    }
    let mut children = no_children();
    children[usize::from(old[shared])] = Some(extended(&old[shared + 1..], child));
    extended(
        &path[..shared],
        insert(Some(branch(children, None)), &path[shared..], new),
    )
}

fn remove(at: Node, path: &[u8]) -> Option<Box<Node>> {
    let Node { kind, reference } = at;
    match kind {
        Kind::Leaf {
            path: old_path,
            value,
        } => (old_path != path).then(|| {
            Box::new(Node {
                kind: Kind::Leaf {
                    path: old_path,
                    value,
                },
                reference,
            })
        }),
        Kind::Extension {
            path: old_path,
            child,
        } => match path.strip_prefix(old_path.as_slice()) {
            None => Some(Box::new(Node {
                kind: Kind::Extension {
                    path: old_path,
                    child,
                },
                reference,
            })),
            Some(rest) => remove(*child, rest).map(|child| joined(&old_path, child)),
        },
        Kind::Branch {
            mut children,
            mut value,
        } => {
            match path.split_first() {
                None => value = None,
                Some((first, rest)) => {
                    let slot = usize::from(*first);
                    children[slot] = children[slot].take().and_then(|child| remove(*child, rest));
                }
            }
            collapsed(children, value)
        }
    }
}

/// A branch with fewer than two entries is not canonical: it becomes the leaf or the path it stands for.
fn collapsed(mut children: [Option<Box<Node>>; 16], value: Option<Vec<u8>>) -> Option<Box<Node>> {
    let mut used = children
        .iter()
        .enumerate()
        .filter(|(_, child)| child.is_some())
        .map(|(slot, _)| slot);
    match (used.next(), used.next(), value) {
        (None, _, None) => None,
        (None, _, Some(value)) => Some(node(Kind::Leaf {
            path: Vec::new(),
            value,
        })),
        (Some(only), None, None) => {
            let child = children[only]
                .take()
                .expect("the slot was just seen to be in use");
            let nibble = u8::try_from(only).expect("a branch has 16 slots");
            Some(joined(&[nibble], child))
        }
        (_, _, value) => Some(node(Kind::Branch { children, value })),
    }
}

fn joined(prefix: &[u8], child: Box<Node>) -> Box<Node> {
    match child.kind {
        Kind::Leaf { path, value } => node(Kind::Leaf {
            path: [prefix, &path].concat(),
            value,
        }),
        Kind::Extension { path, child } => node(Kind::Extension {
            path: [prefix, &path].concat(),
            child,
        }),
        Kind::Branch { .. } => extended(prefix, child),
    }
}

/// Hex-prefix encoding of a path (yellow paper, appendix C).
fn hex_prefix(path: &[u8], leaf: bool) -> Vec<u8> {
    let flag = if leaf { 2u8 } else { 0 };
    let odd = path.len() % 2 == 1;
    let mut padded = Vec::with_capacity(path.len() + 2);
    padded.push(flag + u8::from(odd));
    if !odd {
        padded.push(0);
    }
    padded.extend_from_slice(path);
    padded.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn encode(at: &mut Node) -> Vec<u8> {
    let mut out;
    match &mut at.kind {
        Kind::Leaf { path, value } => {
            out = RlpStream::new_list(2);
            out.append(&hex_prefix(path, true)).append(&*value);
        }
        Kind::Extension { path, child } => {
            out = RlpStream::new_list(2);
            out.append(&hex_prefix(path, false))
                .append_raw(reference(child), 1);
        }
        Kind::Branch { children, value } => {
            out = RlpStream::new_list(17);
            for child in children {
                match child {
                    None => out.append_empty_data(),
                    Some(child) => out.append_raw(reference(child), 1),
                };
            }
            match value {
                None => out.append_empty_data(),
                Some(value) => out.append(&*value),
            };
        }
    }
    out.out().to_vec()
}

fn reference(at: &mut Node) -> &[u8] {
    if at.reference.is_none() {
        let encoded = encode(at);
        let short = if encoded.len() < 32 {
            encoded
        } else {
            rlp::encode(&keccak(&encoded).as_slice()).to_vec()
        };
        at.reference = Some(short);
    }
    at.reference
        .as_deref()
        .expect("set just above when it was absent")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn root_of(pairs: &[(&str, &str)]) -> String {
        let mut trie = Trie::default();
        for (key, value) in pairs {
            trie.insert(key.as_bytes(), value.as_bytes().to_vec());
        }
        hex::encode(trie.root())
    }

    /// Vectors of ethereum/tests TrieTests/trieanyorder.json.
    #[test]
    fn root_should_match_the_published_vectors() {
        let dogs = [("doe", "reindeer"), ("dog", "puppy"), ("dogglesworth", "cat")];
        assert_eq!(
            root_of(&dogs),
            "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3"
        );
        let verbs = [
            ("do", "verb"),
            ("horse", "stallion"),
            ("doge", "coin"),
            ("dog", "puppy"),
        ];
        assert_eq!(
            root_of(&verbs),
            "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84"
        );
        assert_eq!(Trie::default().root(), EMPTY_ROOT);
    }

    proptest! {
        #[test]
        fn ordered_root_should_agree_with_the_client_library(sizes in prop::collection::vec(1usize..80, 0..300)) {
            let items: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(i, n)| vec![(i % 251) as u8; *n]).collect();
            let ours = ordered_root(items.clone());
            let theirs = alloy_consensus::proofs::ordered_trie_root_encoded(&items);
            prop_assert_eq!(ours.as_slice(), theirs.as_slice());
        }

        #[test]
        fn removal_should_leave_the_trie_that_never_held_the_key(
            steps in prop::collection::vec((0u8..40, prop::option::of(1u8..255)), 1..200)
        ) {
            let mut trie = Trie::default();
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for (step, value) in steps {
                // short keys that are prefixes of each other reach branch values, which 32-byte keys never do
                let key = if step < 20 { vec![step / 5, step % 5] } else { vec![step % 7] };
                match value {
                    Some(value) => {
                        trie.insert(&key, vec![value; 1 + usize::from(value) % 40]);
                        model.insert(key, vec![value; 1 + usize::from(value) % 40]);
                    }
                    None => {
                        trie.remove(&key);
                        model.remove(&key);
                    }
                }
                let mut fresh = Trie::default();
                for (key, value) in &model {
                    fresh.insert(key, value.clone());
                }
                prop_assert_eq!(trie.root(), fresh.root());
            }
        }
    }
}
