//! Why a call failed, in words: the payload of a revert is foreign and unbounded, so it is decoded with care and cut.

use alloy_primitives::hex;
use alloy_sol_types::decode_revert_reason;

/// At most this many characters are kept of anything a chain or node says.
pub const WORDS_MAX: usize = 512;
/// Payloads beyond this are not decoded; the longest reasons in the field are a few hundred bytes.
const PAYLOAD_MAX: usize = 16 * 1024;
/// At most this many bytes of a payload nobody can read are shown.
const SHOWN_BYTES: usize = 64;

/// The reason inside a revert payload: `Error(string)`, `Panic(uint256)`, plain text, or the first bytes as hex.
pub fn reason(payload: &[u8]) -> String {
    if payload.is_empty() {
        return "execution reverted without a reason".to_owned();
    }
    let decoded = (payload.len() <= PAYLOAD_MAX)
        .then(|| decode_revert_reason(payload))
        .flatten();
    match decoded {
        Some(text) => words(&text),
        None => {
            let shown = &payload[..payload.len().min(SHOWN_BYTES)];
            format!("execution reverted with {}", hex::encode_prefixed(shown))
        }
    }
}

/// Foreign words made fit for an event or a log: control characters become spaces, the rest is cut.
pub fn words(text: &str) -> String {
    let tame = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(WORDS_MAX).map(tame).collect()
}

#[cfg(test)]
mod tests {
    use alloy_sol_types::{Panic, Revert, SolError};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reason_should_be_read_from_every_form() {
        let standard = Revert::from("not enough".to_owned()).abi_encode();
        assert!(reason(&standard).contains("not enough"));
        let panic = Panic::from(0x11).abi_encode();
        assert!(reason(&panic).contains("0x11"), "{}", reason(&panic));
        assert_eq!(reason(b"plain\nwords"), "plain words");
        assert_eq!(reason(&[0xde, 0xad, 0xff]), "execution reverted with 0xdeadff");
        assert!(reason(&[]).contains("without a reason"));
    }

    #[test]
    fn huge_payloads_should_be_cut() {
        let long = Revert::from("x".repeat(5_000)).abi_encode();
        assert_eq!(reason(&long).chars().count(), WORDS_MAX);
        let huge = vec![0xff; 1 << 20];
        assert!(reason(&huge).len() < 200);
    }

    proptest! {
        #[test]
        fn any_payload_should_be_answered(payload: Vec<u8>) {
            prop_assert!(reason(&payload).chars().count() <= WORDS_MAX);
            let mut standard = Revert::from("a reason".to_owned()).abi_encode();
            standard.truncate(payload.len());
            let _ = reason(&standard);
        }
    }
}
