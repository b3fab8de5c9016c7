//! The two calls of ERC-20 (EIP-20) the platform makes: `transfer(address,uint256)` and `balanceOf(address)`.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolValue;

/// First four bytes of the Keccak-256 of `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// First four bytes of the Keccak-256 of `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// Call data that moves `amount` minor units of a token to `to`.
pub fn transfer_call(to: Address, amount: U256) -> Vec<u8> {
    [&TRANSFER[..], &(to, amount).abi_encode_params()].concat()
}

/// Call data that asks what `owner` holds of a token.
pub fn balance_call(owner: Address) -> Vec<u8> {
    [&BALANCE_OF[..], &owner.abi_encode()].concat()
}

/// Reads the answer to [`balance_call`]; `None` when the address has no such contract or it answers something else.
pub fn read_balance(answer: &[u8]) -> Option<U256> {
    (answer.len() == 32).then(|| U256::from_be_slice(answer))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;
    use ethers_core::abi::{self, Token};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn selectors_should_be_the_hashes_of_their_signatures() {
        assert_eq!(keccak256("transfer(address,uint256)")[..4], TRANSFER);
        assert_eq!(keccak256("balanceOf(address)")[..4], BALANCE_OF);
    }

    #[test]
    fn balance_should_need_exactly_one_word() {
        assert_eq!(read_balance(&U256::MAX.to_be_bytes::<32>()), Some(U256::MAX));
        assert_eq!(read_balance(&[]), None, "no contract there");
        assert_eq!(read_balance(&[0; 33]), None);
    }

    proptest! {
        #[test]
        fn calls_should_agree_with_ethers(to: [u8; 20], amount: [u8; 32]) {
            let word = ethers_core::types::U256::from_big_endian(&amount);
            let owner = Token::Address(to.into());
            let signature = ethers_core::utils::id("transfer(address,uint256)");
            let theirs = [&signature[..], &abi::encode(&[owner.clone(), Token::Uint(word)])].concat();
            prop_assert_eq!(transfer_call(to.into(), U256::from_be_bytes(amount)), theirs);
            let signature = ethers_core::utils::id("balanceOf(address)");
            prop_assert_eq!(balance_call(to.into()), [&signature[..], &abi::encode(&[owner])].concat());
        }
    }
}
