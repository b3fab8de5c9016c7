//! Money: unsigned integers of minor units, always with the asset they count.
//!
//! Amounts are 256 bits wide because a token may use all of them. JSON carries them as decimal strings of minor
//! units. Arithmetic is checked and never mixes assets. Refuses: signs, fractions, exponents, leading zeros,
//! anything of 2^256 or more.

use std::fmt;
use std::str::FromStr;

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use crate::caip::AssetId;

/// A count of minor units (wei, drops, satoshi); unsigned, 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(U256);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a plain decimal integer.
    #[error(
        "an amount is a decimal string of minor units: digits only, no sign, no fraction, no leading zero"
    )]
    NotDecimal,
    /// 2^256 or more.
    #[error("the amount does not fit 256 bits")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);
    /// The most 256 bits hold.
    pub const MAX: Self = Self(U256::MAX);

    /// From a 128-bit count.
    pub fn from_u128(minor: u128) -> Self {
        Self(U256::from(minor))
    }
    /// From 32 big-endian bytes.
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }
    /// As 32 big-endian bytes.
    pub const fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }
    /// As a 128-bit count; `None` when it is larger.
    pub fn to_u128(self) -> Option<u128> {
        u128::try_from(self.0).ok()
    }
    /// Whether this is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
    /// The sum; `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
    /// The difference; `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
    /// The product; `None` on overflow.
    pub fn checked_mul(self, factor: Self) -> Option<Self> {
        self.0.checked_mul(factor.0).map(Self)
    }
    /// The difference, or zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum modulo 2^256, for totals that must stay reversible.
    pub const fn wrapping_add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
    /// The difference modulo 2^256, the inverse of [`Self::wrapping_add`].
    pub const fn wrapping_sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }

    /// A decimal text with `decimals` places, trailing zeros cut: 1500000000000000000 with 18 reads `1.5`.
    pub fn to_decimal(self, decimals: u8) -> String {
        let digits = self.0.to_string();
        let places = usize::from(decimals);
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }

    /// Reads a decimal text such as `1.5` with at most `decimals` places into minor units.
    pub fn from_decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let places = usize::from(decimals);
        if whole.is_empty() || fraction.len() > places || text.ends_with('.') {
            return Err(AmountError::NotDecimal);
        }
        let digits = format!("{whole}{fraction:0<places$}");
        let trimmed = digits.trim_start_matches('0');
        if trimmed.is_empty() && digits.bytes().all(|b| b == b'0') {
            return Ok(Self::ZERO);
        }
        trimmed.parse()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Amount {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !plain || (text.len() > 1 && text.starts_with('0')) {
            return Err(AmountError::NotDecimal);
        }
        if text.len() > 78 {
            return Err(AmountError::TooLarge);
        }
        U256::from_str_radix(text, 10)
            .map(Self)
            .map_err(|_| AmountError::TooLarge)
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
#[cfg(feature = "schema")]
impl schemars::JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(0|[1-9][0-9]{0,77})$" })
    }
}

/// An amount of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Money {
    /// What is counted.
    pub asset: AssetId,
    /// How many minor units.
    pub minor: Amount,
}

impl Money {
    /// The sum; `None` on overflow or when the assets differ.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        (self.asset == other.asset)
            .then(|| self.minor.checked_add(other.minor))
            .flatten()
            .map(|minor| Self {
                asset: self.asset.clone(),
                minor,
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amount_should_refuse_everything_but_plain_integers() {
        for bad in ["", "-1", "+1", "1.0", "1e3", " 1", "01", "0x1", "١"] {
            assert_eq!(bad.parse::<Amount>(), Err(AmountError::NotDecimal), "{bad:?}");
        }
        let max = U256::MAX.to_string();
        assert_eq!(max.parse::<Amount>().map(|a| a.to_string()), Ok(max));
        let over = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        assert_eq!(over.parse::<Amount>(), Err(AmountError::TooLarge));
        assert_eq!("9".repeat(10_000).parse::<Amount>(), Err(AmountError::TooLarge));
    }

    #[test]
    fn decimal_text_should_place_the_point() {
        let a = |s: &str| s.parse::<Amount>().expect("valid");
        assert_eq!(a("1500000000000000000").to_decimal(18), "1.5");
        assert_eq!(a("1").to_decimal(18), "0.000000000000000001");
        assert_eq!(a("100").to_decimal(0), "100");
        assert_eq!(Amount::from_decimal("0.05", 18), Ok(a("50000000000000000")));
        assert_eq!(Amount::from_decimal("0", 18), Ok(Amount::ZERO));
        for bad in ["1.", ".5", "1.1234567890123456789", "-1", "1,5", "1.5.5"] {
            assert!(Amount::from_decimal(bad, 18).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn decimal_should_round_trip(minor: u128, decimals in 0u8..40) {
            let a = Amount::from_u128(minor);
            prop_assert_eq!(Amount::from_decimal(&a.to_decimal(decimals), decimals), Ok(a));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
        }

        #[test]
        fn arithmetic_should_be_exact_or_none(a: u128, b: u128) {
            let (x, y) = (Amount::from_u128(a), Amount::from_u128(b));
            prop_assert_eq!(x.checked_add(y).and_then(|s| s.checked_sub(y)), Some(x));
            prop_assert_eq!(x.checked_sub(y).is_some(), a >= b);
        }
    }
}
