//! Ethereum addresses: 20 bytes, written as 0x and 40 hexadecimal digits, whose capital letters may carry the checksum
//! of EIP-55.
//!
//! Text wholly in lower or wholly in upper case carries no checksum and is taken; mixed case must match. Refuses
//! everything else, and as a destination the zero address, which nobody owns.

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::VerifyingKey;

use crate::error::AddressError;

/// Reads an address; tells a text that is none from one whose checksum is wrong.
pub fn parse_address(text: &str) -> Result<Address, AddressError> {
    let digits = text
        .strip_prefix("0x")
        .ok_or(AddressError::Malformed("it must begin with 0x"))?;
    if digits.len() != 40 {
        return Err(AddressError::Malformed("it must have 40 digits after 0x"));
    }
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(AddressError::Malformed("its digits are 0 to 9 and a to f"));
    }
    let address: Address = text
        .parse()
        .map_err(|_| AddressError::Malformed("its digits are 0 to 9 and a to f"))?;
    let lower = digits.bytes().any(|b| b.is_ascii_lowercase());
    let upper = digits.bytes().any(|b| b.is_ascii_uppercase());
    if lower && upper && checksummed(&address) != text {
        return Err(AddressError::Checksum);
    }
    Ok(address)
}

/// Reads an address to pay to: any but the zero address.
pub fn parse_destination(text: &str) -> Result<Address, AddressError> {
    let address = parse_address(text)?;
    if address == Address::ZERO {
        return Err(AddressError::Zero);
    }
    Ok(address)
}

/// The text with the checksum of EIP-55.
pub fn checksummed(address: &Address) -> String {
    address.to_checksum(None)
}

/// The address of a public key in its 33 compressed bytes (SEC 1): the last 20 bytes of the Keccak-256 of the point.
pub fn address_of(public_key: &[u8]) -> Result<Address, AddressError> {
    if public_key.len() != 33 {
        return Err(AddressError::PublicKey);
    }
    let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| AddressError::PublicKey)?;
    let point = key.to_encoded_point(false);
    Ok(Address::from_slice(
        &keccak256(&point.as_bytes()[1..]).as_slice()[12..],
    ))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use k256::ecdsa::SigningKey;
    use proptest::prelude::*;
    use vaultstream_event_schemas::ErrorCode;

    use super::*;

    /// The test cases of EIP-55: all capitals, all lower case, normal.
    const EIP_55: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn checksum_should_match_the_vectors_of_eip_55() {
        for text in EIP_55 {
            let address = parse_address(text).expect("a vector of the EIP");
            assert_eq!(checksummed(&address), text);
            assert_eq!(
                parse_address(&text.to_lowercase()),
                Ok(address),
                "lower case carries none"
            );
            let upper = format!("0x{}", text[2..].to_uppercase());
            assert_eq!(parse_address(&upper), Ok(address), "upper case carries none");
        }
    }

    #[test]
    fn address_should_tell_nonsense_from_a_wrong_checksum() {
        let wrong = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD";
        assert_eq!(parse_address(wrong), Err(AddressError::Checksum));
        assert_eq!(AddressError::Checksum.code(), ErrorCode::InvalidChecksum);
        for bad in [
            "",
            "0x",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
            " 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "vitalik.eth",
        ] {
            let error = parse_address(bad).expect_err(bad);
            assert_eq!(error.code(), ErrorCode::InvalidAddress, "{bad:?}");
        }
    }

    #[test]
    fn zero_address_should_be_read_but_not_paid() {
        let zero = "0x0000000000000000000000000000000000000000";
        assert_eq!(parse_address(zero), Ok(Address::ZERO));
        let error = parse_destination(zero).expect_err("nobody owns it");
        assert_eq!(
            (error, error.code()),
            (AddressError::Zero, ErrorCode::InvalidAddress)
        );
        assert!(parse_destination(EIP_55[4]).is_ok());
    }

    #[test]
    fn address_of_should_match_the_known_keys() {
        // The first accounts every development node derives from "test test … junk", and the key 1.
        for (key, address) in [
            (
                "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
                "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            ),
            (
                "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
                "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            ),
            (
                "0000000000000000000000000000000000000000000000000000000000000001",
                "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
            ),
        ] {
            let key = SigningKey::from_slice(&hex::decode(key).expect("hex")).expect("a key");
            let public = key.verifying_key().to_encoded_point(true);
            let found = address_of(public.as_bytes()).expect("a point");
            assert_eq!(checksummed(&found), address);
            let uncompressed = key.verifying_key().to_encoded_point(false);
            assert_eq!(address_of(uncompressed.as_bytes()), Err(AddressError::PublicKey));
        }
        assert_eq!(address_of(&[0xff; 33]), Err(AddressError::PublicKey));
        assert_eq!(address_of(&[]), Err(AddressError::PublicKey));
    }

    proptest! {
        #[test]
        fn any_text_should_be_answered(text in "\\PC*") {
            let _ = parse_destination(&text);
        }

        #[test]
        fn checksum_should_round_trip_and_agree_with_ethers(bytes: [u8; 20]) {
            let address = Address::from(bytes);
            let text = checksummed(&address);
            prop_assert_eq!(parse_address(&text), Ok(address));
            let other = ethers_core::utils::to_checksum(&ethers_core::types::Address::from(bytes), None);
            prop_assert_eq!(text, other);
        }

        #[test]
        fn one_changed_letter_case_should_be_noticed(bytes: [u8; 20], place in 2usize..42) {
            let text = checksummed(&Address::from(bytes));
            let mut changed = text.clone().into_bytes();
            let letter = changed[place];
            changed[place] = if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
            let changed = String::from_utf8(changed).expect("ASCII");
            let plain = changed[2..].to_lowercase() == changed[2..] || changed[2..].to_uppercase() == changed[2..];
            if changed != text && !plain {
                prop_assert_eq!(parse_address(&changed), Err(AddressError::Checksum));
            }
        }
    }
}
