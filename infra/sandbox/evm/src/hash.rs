//! Keccak-256 and the constants of empty things.
//!
//! Its own call into `sha3`, so that a fault in the hashing of the product's clients cannot hide in a shared crate.

use revm::primitives::{Address, B256};
use sha3::{Digest, Keccak256};

/// Hash of the empty code, as accounts without code carry it.
pub(crate) const EMPTY_CODE: B256 = revm::primitives::KECCAK_EMPTY;

/// Root of an empty Merkle Patricia trie: keccak256(rlp("")) (yellow paper, appendix D).
pub(crate) const EMPTY_ROOT: B256 = B256::new([
    0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b,
    0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,
]);

/// Hash of an empty list of uncles: keccak256(rlp([])).
pub(crate) const EMPTY_UNCLES: B256 = B256::new([
    0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a, 0xd3,
    0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47,
]);

/// Keccak-256 of `bytes`.
pub(crate) fn keccak(bytes: &[u8]) -> B256 {
    B256::from(<[u8; 32]>::from(Keccak256::digest(bytes)))
}

/// The address a contract gets that `sender` creates with `nonce`: the last 20 bytes of keccak(rlp([sender, nonce])).
pub(crate) fn contract_address(sender: Address, nonce: u64) -> Address {
    let mut out = rlp::RlpStream::new_list(2);
    out.append(&sender.as_slice()).append(&nonce);
    Address::from_slice(&keccak(&out.out())[12..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_should_equal_their_definition() {
        assert_eq!(keccak(&[]), EMPTY_CODE);
        assert_eq!(keccak(&[0x80]), EMPTY_ROOT);
        assert_eq!(keccak(&[0xc0]), EMPTY_UNCLES);
    }

    #[test]
    fn contract_address_should_match_the_known_first_creation() {
        // the well-known pair of the first deployment of 0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0
        let sender =
            Address::from_slice(&hex::decode("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0").expect("hex"));
        let expected = [
            "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
            "343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        ];
        for (nonce, want) in expected.iter().enumerate() {
            assert_eq!(hex::encode(contract_address(sender, nonce as u64)), *want);
        }
    }
}
