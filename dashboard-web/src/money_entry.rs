//! What a person types as an amount, turned into minor units exactly or refused with the reason.
//!
//! No float is ever involved. Refuses signs, exponents, commas (which mean different things to different people), more
//! places than the asset has, zero, and more than is held.

use crate::figures::{money, places};
use crate::words::{Word, fill, say};
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::money::AmountError;

/// What the amount counts and how much of it there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits<'a> {
    /// The asset's short symbol.
    pub symbol: &'a str,
    /// Its decimal places.
    pub decimals: i64,
    /// What the account holds, when that is known.
    pub held: Option<Amount>,
}

/// Minor units, or the sentence that says what to correct.
pub fn read(text: &str, limits: &Limits<'_>) -> Result<Amount, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(say(Word::AmountEmpty).to_owned());
    }
    let decimals = places(limits.decimals);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(say(Word::AmountNotNumber).to_owned());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(decimals) {
        let decimals = decimals.to_string();
        return Err(fill(
            Word::AmountTooFine,
            &[("symbol", limits.symbol), ("decimals", &decimals)],
        ));
    }
    let plain = if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    };
    let amount = Amount::from_decimal(&plain, decimals).map_err(|error| match error {
        AmountError::TooLarge => say(Word::AmountTooLarge).to_owned(),
        AmountError::NotDecimal => say(Word::AmountNotNumber).to_owned(),
    })?;
    if amount.is_zero() {
        return Err(say(Word::AmountZero).to_owned());
    }
    match limits.held {
        Some(held) if amount > held => {
            let held = money(held, limits.decimals, limits.symbol);
            Err(fill(Word::AmountOverBalance, &[("held", &held)]))
        }
        _ => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth(held: Option<u128>) -> Limits<'static> {
        Limits {
            symbol: "ETH",
            decimals: 18,
            held: held.map(Amount::from_u128),
        }
    }

    #[test]
    fn decimals_should_become_minor_units_exactly() {
        let read = |text| read(text, &eth(None)).map(|a| a.to_string());
        assert_eq!(read("1.25"), Ok("1250000000000000000".into()));
        assert_eq!(read(" 1 "), Ok("1000000000000000000".into()));
        assert_eq!(read("0.000000000000000001"), Ok("1".into()));
        assert_eq!(read("007"), Ok("7000000000000000000".into()));
        assert_eq!(
            read("1.2500000000000000000000"),
            Ok("1250000000000000000".into()),
            "trailing zeros say nothing"
        );
    }

    #[test]
    fn everything_else_should_be_refused_with_its_reason() {
        let refusal = |text| read(text, &eth(Some(2_000_000_000_000_000_000))).expect_err(text);
        for text in ["1,5", "-1", "+1", "1e3", "1.", ".5", "1.2.3", "0x1", "١", "1 000"] {
            assert_eq!(refusal(text), say(Word::AmountNotNumber), "{text:?}");
        }
        assert_eq!(refusal(""), say(Word::AmountEmpty));
        assert_eq!(refusal("0.000"), say(Word::AmountZero));
        assert!(refusal("0.0000000000000000001").contains("18"));
        assert!(refusal("2.000000000000000001").contains("2 ETH"));
        let huge = "9".repeat(90);
        assert_eq!(
            read(&huge, &eth(None)).expect_err("huge"),
            say(Word::AmountTooLarge)
        );
        assert!(
            read("2", &eth(Some(2_000_000_000_000_000_000))).is_ok(),
            "all of it is allowed"
        );
    }

    #[test]
    fn assets_without_places_should_take_whole_numbers_only() {
        let limits = Limits {
            symbol: "POINT",
            decimals: 0,
            held: None,
        };
        assert_eq!(read("12", &limits), Ok(Amount::from_u128(12)));
        assert!(read("1.5", &limits).is_err());
    }
}
