//! The texts people and programs sign in with, and how they are compared.
//!
//! An API key is `<key id>_<secret>`, a cookie `<session id>_<secret>`, a one-time code `<session id>_<code>`; a secret
//! is 32 random bytes as base64url. At rest there is only SHA-256 of the 32 bytes: they are uniformly random, so a slow
//! hash would protect nothing. Comparison takes the same time whatever differs. Neither `Debug` nor errors show a secret.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use vaultstream_domain::ports::Rng;

/// Length of a secret's text: 32 bytes in base64url without padding.
const SECRET_TEXT: usize = 43;
/// The longest credential that is looked at.
const MAX_TEXT: usize = 128;

/// 32 random bytes that only their holder knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new secret.
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        Self(bytes)
    }

    /// SHA-256 of the secret, lower-case hex: what is kept.
    pub fn sha256_hex(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }

    /// Whether this is the secret whose SHA-256 is kept, in constant time.
    pub fn matches(&self, kept_hex: &str) -> bool {
        let mut kept = [0u8; 32];
        hex::decode_to_slice(kept_hex, &mut kept).is_ok() && bool::from(Sha256::digest(self.0).ct_eq(&kept))
    }

    /// `<id>_<secret>`: what the holder keeps.
    pub fn text_for(&self, id: impl fmt::Display) -> String {
        format!("{id}_{}", BASE64URL_NOPAD.encode(&self.0))
    }
}

/// An id and the secret that was presented with it; `None` for any text that is not of this form.
pub fn parse<I: FromStr>(text: &str) -> Option<(I, Secret)> {
    if text.len() > MAX_TEXT || !text.is_ascii() {
        return None;
    }
    let (id, secret) = text.split_at_checked(text.len().checked_sub(SECRET_TEXT)?)?;
    let mut bytes = [0u8; 33];
    let length = BASE64URL_NOPAD.decode_len(secret.len()).ok()?;
    let decoded = BASE64URL_NOPAD
        .decode_mut(secret.as_bytes(), bytes.get_mut(..length)?)
        .ok()?;
    let secret = bytes.get(..decoded)?.try_into().ok().map(Secret)?;
    Some((id.strip_suffix('_')?.parse().ok()?, secret))
}

#[cfg(test)]
mod tests {
    use proptest::proptest;
    use vaultstream_event_schemas::{ApiKeyId, SessionId, id};

    use super::*;

    struct Fixed(u8);
    impl Rng for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn text_should_carry_id_and_secret_and_keep_only_the_hash() {
        let key = ApiKeyId::from_uuid(id::random(1, 2));
        let secret = Secret::generate(&Fixed(0xfb));
        let text = secret.text_for(key);
        assert_eq!(parse::<ApiKeyId>(&text), Some((key, secret.clone())));
        assert!(secret.matches(&secret.sha256_hex()));
        assert!(!Secret::generate(&Fixed(1)).matches(&secret.sha256_hex()));
        assert!(!secret.matches("") && !secret.matches("zz"));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn other_forms_should_be_refused() {
        let key = ApiKeyId::from_uuid(id::random(1, 2));
        let text = Secret::generate(&Fixed(3)).text_for(key);
        assert!(parse::<SessionId>(&text).is_none(), "a key is no session");
        for bad in [
            "",
            "_",
            "key_1",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}A"),
            &text.replace('_', "-"),
        ] {
            assert!(parse::<ApiKeyId>(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn garbage_should_be_refused_not_panic(text: String) {
            proptest::prop_assert!(parse::<ApiKeyId>(&text).is_none());
        }
    }
}
