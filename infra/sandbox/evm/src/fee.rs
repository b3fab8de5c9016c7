//! The EIP-1559 fee market and intrinsic gas.

use crate::transaction::Payload;

/// Gas of a block.
pub(crate) const BLOCK_GAS_LIMIT: u64 = 30_000_000;
/// Base fee of the genesis block: 1 gwei.
pub(crate) const INITIAL_BASE_FEE: u64 = 1_000_000_000;
/// A block may be this much bigger than its target.
const ELASTICITY: u64 = 2;
/// The base fee moves by at most one part in this many per block.
const CHANGE_DENOMINATOR: u128 = 8;
/// EIP-3860: init code is at most this long.
pub(crate) const MAX_INIT_CODE: usize = 49_152;

/// Base fee of the block after one with these figures (EIP-1559).
pub(crate) fn next_base_fee(base_fee: u64, gas_used: u64, gas_limit: u64) -> u64 {
    let target = u128::from((gas_limit / ELASTICITY).max(1));
    let (base, used) = (u128::from(base_fee), u128::from(gas_used));
    let moved = |distance: u128| base * distance / target / CHANGE_DENOMINATOR;
    let next = match used.cmp(&target) {
        std::cmp::Ordering::Equal => base,
        std::cmp::Ordering::Greater => base + moved(used - target).max(1),
        std::cmp::Ordering::Less => base.saturating_sub(moved(target - used)),
    };
    u64::try_from(next).unwrap_or(u64::MAX)
}

/// Gas that a transaction costs before its first instruction (yellow paper g0; EIP-2028, EIP-2930, EIP-3860).
pub(crate) fn intrinsic_gas(payload: &Payload) -> u64 {
    let zeros = payload.input.iter().filter(|byte| **byte == 0).count() as u64;
    let len = payload.input.len() as u64;
    let creation = if payload.to.is_none() {
        32_000 + 2 * len.div_ceil(32)
    } else {
        0
    };
    let keys: u64 = payload
        .access_list
        .iter()
        .map(|(_, keys)| keys.len() as u64)
        .sum();
    21_000
        + 4 * zeros
        + 16 * (len - zeros)
        + creation
        + 2_400 * payload.access_list.len() as u64
        + 1_900 * keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_fee_should_follow_the_eip() {
        // the worked cases of EIP-1559: at target it rests, full it rises by 1/8, empty it falls by 1/8
        assert_eq!(
            next_base_fee(1_000_000_000, 15_000_000, 30_000_000),
            1_000_000_000
        );
        assert_eq!(
            next_base_fee(1_000_000_000, 30_000_000, 30_000_000),
            1_125_000_000
        );
        assert_eq!(next_base_fee(1_000_000_000, 0, 30_000_000), 875_000_000);
        assert_eq!(
            next_base_fee(7, 0, 30_000_000),
            7,
            "integer arithmetic stops the fall at 7 wei"
        );
        assert_eq!(
            next_base_fee(1, 15_000_001, 30_000_000),
            2,
            "a rise is at least 1 wei"
        );
        assert_eq!(next_base_fee(u64::MAX, 30_000_000, 30_000_000), u64::MAX);
    }
}
