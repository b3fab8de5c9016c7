//! The vectors that Certificate Transparency's implementations share, and a slow tree written from the words of RFC 6962.

use proptest::prelude::*;

use super::*;

/// The eight inputs of the reference implementations' tests.
const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex_hash(text: &str) -> Hash {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).expect("64 digits");
    hash
}

fn leaf(data: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0u8])
        .chain_update(data)
        .finalize()
        .into()
}

fn inputs() -> Vec<Hash> {
    INPUTS
        .iter()
        .map(|text| leaf(&hex::decode(text).expect("hex")))
        .collect()
}

/// MTH of RFC 6962 §2.1, word by word.
fn slow_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            node_hash(&slow_root(&many[..k]), &slow_root(&many[k..]))
        }
    }
}

/// PATH of RFC 6962 §2.1.1, word by word.
fn slow_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if index < k {
        (slow_path(index, left), right)
    } else {
        (slow_path(index - k, right), left)
    };
    path.push(slow_root(other));
    path
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
}

fn path(index: u64, leaves: &[Hash]) -> Vec<Hash> {
    let mut builder = PathBuilder::try_new(index, leaves.len() as u64).expect("there is such a leaf");
    leaves.iter().for_each(|leaf| builder.pass(*leaf));
    builder.finish().expect("all have passed")
}

#[test]
fn roots_should_be_those_of_the_reference() {
    assert_eq!(
        hex::encode(empty_root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut tree = Frontier::default();
    for (leaf, root) in inputs().into_iter().zip(ROOTS) {
        tree.push(leaf);
        assert_eq!(hex::encode(tree.root()), root, "{} leaves", tree.size());
    }
}

#[test]
fn paths_should_be_those_of_the_reference() {
    let all = inputs();
    // Certificate Transparency numbers these leaves from 1: (leaf, size, path).
    let known: [(u64, usize, &[&str]); 3] = [
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            3,
            &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
        ),
    ];
    for (index, size, expected) in known {
        let found = path(index, &all[..size]);
        assert_eq!(found.iter().map(hex::encode).collect::<Vec<_>>(), expected);
        let root = root_of_path(
            index,
            size as u64,
            all[usize::try_from(index).expect("small")],
            &found,
        );
        assert_eq!(root.map(hex::encode).as_deref(), Some(ROOTS[size - 1]));
    }
    assert_eq!(hex_hash(ROOTS[0]), leaf(b""));
}

#[test]
fn every_path_of_every_small_tree_should_lead_to_its_root_and_no_other_place() {
    for size in 1..=33u64 {
        let all = leaves(size);
        let root = slow_root(&all);
        for index in 0..size {
            let at = usize::try_from(index).expect("small");
            let found = path(index, &all);
            assert_eq!(found, slow_path(at, &all), "{index} of {size}");
            assert_eq!(root_of_path(index, size, all[at], &found), Some(root));
            for other in (0..size).filter(|other| *other != index) {
                assert_ne!(root_of_path(other, size, all[at], &found), Some(root));
            }
            let mut longer = found.clone();
            longer.push(root);
            assert_eq!(root_of_path(index, size, all[at], &longer), None);
            if let Some((_, shorter)) = found.split_last() {
                assert_eq!(root_of_path(index, size, all[at], shorter), None);
            }
        }
        assert!(PathBuilder::try_new(size, size).is_none());
        assert_eq!(root_of_path(size, size, all[0], &[]), None);
    }
}

#[test]
fn kept_frontier_should_fit_its_size() {
    let mut tree = Frontier::default();
    leaves(7).into_iter().for_each(|leaf| tree.push(leaf));
    let kept = Frontier::from_parts(7, tree.hashes().to_vec()).expect("three hashes");
    assert_eq!(kept, tree);
    assert!(Frontier::from_parts(8, tree.hashes().to_vec()).is_none());
    assert!(Frontier::from_parts(0, Vec::new()).is_some());
}

#[test]
fn path_should_want_every_leaf() {
    let mut builder = PathBuilder::try_new(1, 3).expect("a leaf");
    builder.pass([1; 32]);
    assert_eq!(builder.finish(), None);
}

proptest! {
    #[test]
    fn frontier_should_agree_with_the_words_of_the_rfc(size in 0u64..600, cut in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let mut tree = Frontier::default();
        let stop = cut.index(all.len() + 1);
        for leaf in &all[..stop] {
            tree.push(*leaf);
        }
        prop_assert_eq!(tree.root(), slow_root(&all[..stop]));
        let mut tree = Frontier::from_parts(tree.size(), tree.hashes().to_vec()).expect("fits");
        for leaf in &all[stop..] {
            tree.push(*leaf);
        }
        prop_assert_eq!(tree.root(), slow_root(&all));
    }
}
