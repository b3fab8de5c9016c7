//! Amounts, addresses, hashes and ids as people read them. Exact: nothing is rounded, copy always takes the whole value.

use vaultstream_event_schemas::Amount;

/// Separates thousands of the whole part; a thin blank, so that neither a point nor a comma is misread as the other.
const GROUP: char = '\u{202f}';

/// A decimal text with its thousands apart: `12345.678` reads `12 345.678`.
pub fn grouped(decimal: &str) -> String {
    let (whole, fraction) = match decimal.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (decimal, None),
    };
    let mut out = String::with_capacity(decimal.len() + 8);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(GROUP);
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// An amount with its unit: `1.25 ETH`.
pub fn money(minor: Amount, decimals: i64, symbol: &str) -> String {
    format!("{} {symbol}", grouped(&minor.to_decimal(places(decimals))))
}

/// Decimal places as the schema's whole number, within what an amount can have.
pub fn places(decimals: i64) -> u8 {
    u8::try_from(decimals).unwrap_or(u8::MAX).min(77)
}

/// The middle left out: `0x52908400…BE9F`. Short texts stay whole.
pub fn elided(text: &str) -> String {
    const HEAD: usize = 8;
    const TAIL: usize = 4;
    let count = text.chars().count();
    if count <= HEAD + TAIL + 3 {
        return text.to_owned();
    }
    let head: String = text.chars().take(HEAD).collect();
    let tail: String = text.chars().skip(count - TAIL).collect();
    format!("{head}…{tail}")
}

/// The last four characters, which tell ids apart.
pub fn ending(id: &str) -> String {
    let count = id.chars().count();
    id.chars().skip(count.saturating_sub(4)).collect()
}

/// An address in groups of four after its prefix: `0x`, `5290`, `8400`, …
pub fn groups(address: &str) -> Vec<String> {
    let (prefix, rest) = match address.strip_prefix("0x") {
        Some(rest) => (Some("0x".to_owned()), rest),
        None => (None, address),
    };
    let characters: Vec<char> = rest.chars().collect();
    prefix
        .into_iter()
        .chain(characters.chunks(4).map(|group| group.iter().collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_should_stand_apart_only_before_the_point() {
        assert_eq!(grouped("0"), "0");
        assert_eq!(grouped("999"), "999");
        assert_eq!(grouped("1000"), "1\u{202f}000");
        assert_eq!(grouped("1234567.1234567"), "1\u{202f}234\u{202f}567.1234567");
    }

    #[test]
    fn amounts_should_never_be_rounded() {
        let wei: Amount = "1000000000000000001".parse().expect("digits");
        assert_eq!(money(wei, 18, "ETH"), "1.000000000000000001 ETH");
        assert_eq!(money(Amount::ZERO, 18, "ETH"), "0 ETH");
        assert_eq!(money(Amount::from_u128(5), 0, "X"), "5 X");
        assert_eq!(
            places(-3),
            77,
            "nonsense shows as a tiny amount, never as a large one"
        );
    }

    #[test]
    fn addresses_should_be_cut_in_the_middle_only() {
        assert_eq!(
            elided("0x52908400098527886E0F7030069857D2E4169EE7"),
            "0x529084…9EE7"
        );
        assert_eq!(elided("short"), "short");
        assert_eq!(elided("ééééééééééééééééééé"), "éééééééé…éééé");
        assert_eq!(groups("0x1234567890"), ["0x", "1234", "5678", "90"]);
        assert_eq!(groups("abcdef"), ["abcd", "ef"]);
        assert_eq!(
            groups("0x52908400098527886E0F7030069857D2E4169EE7")
                .concat()
                .len(),
            42
        );
        assert_eq!(ending("trf_0123abcd"), "abcd");
        assert_eq!(ending("ab"), "ab");
    }
}
