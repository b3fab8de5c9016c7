//! The fee rule of EIP-1559: bid the target, at least what the next block takes, at most the installation's ceiling.
//!
//! `max fee per gas = min(max(target, floor), ceiling)`, tip at most the max fee. When even the floor is above the
//! ceiling there is no bid: such a transaction would only sit in front of the account's later ones.

use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::FeeQuote;

use crate::error::PlanError;

/// The least gas any transaction takes.
pub const GAS_MIN: u64 = 21_000;
/// The most gas a transaction may ask for (EIP-7825: 2^24).
pub const GAS_MAX: u64 = 16_777_216;

/// What is offered per gas, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid {
    /// At most this, base fee and tip together.
    pub max_fee: u128,
    /// At most this for the block's producer.
    pub tip: u128,
}

/// The bid a quote asks for.
pub fn bid(quote: &FeeQuote) -> Result<Bid, PlanError> {
    if quote.floor > quote.ceiling {
        return Err(PlanError::FeeCeiling {
            floor: quote.floor,
            ceiling: quote.ceiling,
        });
    }
    let max_fee = quote.target.max(quote.floor).min(quote.ceiling);
    let wei = |amount: Amount| amount.to_u128().ok_or(PlanError::Quote(amount));
    Ok(Bid {
        max_fee: wei(max_fee)?,
        tip: wei(quote.tip.min(max_fee))?,
    })
}

/// The most the network can charge for `gas_limit` at a bid, in wei. Cannot overflow: 128 bits times 64.
pub fn fee_at(bid: Bid, gas_limit: u64) -> Option<Amount> {
    Amount::from_u128(bid.max_fee).checked_mul(Amount::from_u128(u128::from(gas_limit)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vaultstream_event_schemas::ErrorCode;
    use vaultstream_event_schemas::chain::BlockRef;

    use super::*;

    fn quote(floor: u128, target: u128, ceiling: u128, tip: u128) -> FeeQuote {
        let at = BlockRef {
            hash: "0x".to_owned(),
            height: 1,
        };
        let [floor, target, ceiling, tip] = [floor, target, ceiling, tip].map(Amount::from_u128);
        FeeQuote {
            at,
            ceiling,
            floor,
            target,
            tip,
        }
    }

    #[test]
    fn bid_should_follow_target_floor_and_ceiling() {
        let max_fee = |f, t, c| bid(&quote(f, t, c, 0)).map(|b| b.max_fee);
        assert_eq!(max_fee(10, 20, 30), Ok(20));
        assert_eq!(max_fee(25, 20, 30), Ok(25), "below the floor nothing is taken");
        assert_eq!(max_fee(10, 40, 30), Ok(30));
        assert_eq!(max_fee(30, 40, 30), Ok(30));
        let error = max_fee(31, 40, 30).expect_err("floor above ceiling");
        assert_eq!(error.code(), ErrorCode::FeeCapExceeded);
    }

    #[test]
    fn quote_beyond_128_bits_should_be_refused_not_cut() {
        let mut wide = quote(1, 1, 1, 1);
        let huge = Amount::from_be_bytes([0xff; 32]);
        (wide.target, wide.ceiling) = (huge, huge);
        assert_eq!(bid(&wide), Err(PlanError::Quote(huge)));
        assert_eq!(PlanError::Quote(huge).code(), ErrorCode::ChainUnavailable);
    }

    proptest! {
        #[test]
        fn bid_should_stay_inside_its_bounds(f: u128, t: u128, c: u128, tip: u128, gas: u64) {
            match bid(&quote(f, t, c, tip)) {
                Ok(b) => {
                    prop_assert!(f <= b.max_fee && b.max_fee <= c && b.tip <= b.max_fee && b.tip <= tip);
                    prop_assert!(fee_at(b, gas).is_some());
                }
                Err(_) => prop_assert!(f > c),
            }
        }
    }
}
