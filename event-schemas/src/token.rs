//! Consistency tokens and page cursors: opaque texts that a client carries and only we can make.
//!
//! A token is a map shard → (incarnation, position): "at least this much has happened". A cursor binds a page to
//! its query. Both are base64url of a version byte, the body and 16 bytes of HMAC-SHA-256 under a key that never
//! leaves the server. Refuses: a wrong MAC, another version, more than 1,024 shards, trailing bytes.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::placement::ShardNumber;

/// The longest text that is looked at.
pub const MAX_TOKEN_TEXT: usize = 20_000;
const MAX_SHARDS: usize = 1024;
const MAC_BYTES: usize = 16;

/// A place in one shard of one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Which life of the shard: it changes on restore or promotion.
    pub incarnation: u32,
    /// The position, dense from 1; 0 is before the first event.
    pub position: u64,
}

/// Positions by shard: a vector clock of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions(pub BTreeMap<ShardNumber, Place>);

impl Positions {
    /// One place in one shard.
    pub fn one(shard: ShardNumber, place: Place) -> Self {
        Self(BTreeMap::from([(shard, place)]))
    }

    /// Keeps the later place of each shard.
    pub fn merge(&mut self, other: &Self) {
        for (shard, place) in &other.0 {
            let slot = self.0.entry(*shard).or_insert(*place);
            *slot = (*slot).max(*place);
        }
    }
}

/// Why a token or cursor is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not ours, damaged, or made under another key.
    #[error("the token is not one this installation gave out, or it was changed")]
    Forged,
    /// A version or a size this build does not read.
    #[error("the token has a form this version does not read")]
    Form,
}

/// The key that tokens and cursors are sealed with; 32 bytes, never printed.
#[derive(Clone)]
pub struct MacKey([u8; 32]);

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(…)")
    }
}

impl MacKey {
    /// Takes 32 secret bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, purpose: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(body);
        mac
    }

    /// A keyed digest of a body for a purpose: only who has the key can make it, or learn from it whether a guess is right.
    pub fn tag(&self, purpose: &str, body: &[u8]) -> [u8; 32] {
        self.mac(purpose, body).finalize().into_bytes().into()
    }

    /// Whether [`Self::tag`] made this; compares in constant time.
    pub fn is_tag(&self, purpose: &str, body: &[u8], tag: &[u8]) -> bool {
        self.mac(purpose, body).verify_slice(tag).is_ok()
    }

    /// Seals a body for a purpose; a text sealed for one purpose does not open for another.
    pub fn seal(&self, purpose: &str, body: &[u8]) -> String {
        let mut bytes = body.to_vec();
        bytes.extend_from_slice(&self.mac(purpose, body).finalize().into_bytes()[..MAC_BYTES]);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Opens what [`Self::seal`] made; compares in constant time.
    pub fn open(&self, purpose: &str, text: &str) -> Result<Vec<u8>, TokenError> {
        if text.len() > MAX_TOKEN_TEXT {
            return Err(TokenError::Form);
        }
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| TokenError::Forged)?;
        let split = bytes.len().checked_sub(MAC_BYTES).ok_or(TokenError::Forged)?;
        let (body, tag) = bytes.split_at(split);
        self.mac(purpose, body)
            .verify_truncated_left(tag)
            .map_err(|_| TokenError::Forged)?;
        Ok(body.to_vec())
    }

    /// Seals positions as a consistency token.
    pub fn seal_token(&self, positions: &Positions) -> String {
        let mut body = vec![1u8];
        for (shard, place) in &positions.0 {
            body.extend_from_slice(&shard.0.to_be_bytes());
            body.extend_from_slice(&place.incarnation.to_be_bytes());
            body.extend_from_slice(&place.position.to_be_bytes());
        }
        self.seal("token", &body)
    }

    /// Opens a consistency token.
    pub fn open_token(&self, text: &str) -> Result<Positions, TokenError> {
        let body = self.open("token", text)?;
        let (version, rest) = body.split_first().ok_or(TokenError::Form)?;
        if *version != 1 || rest.len() % 14 != 0 || rest.len() / 14 > MAX_SHARDS {
            return Err(TokenError::Form);
        }
        let mut positions = Positions::default();
        for entry in rest.chunks_exact(14) {
            let shard = ShardNumber(u16::from_be_bytes([entry[0], entry[1]]));
            let incarnation = u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]);
            let mut position = [0u8; 8];
            position.copy_from_slice(&entry[6..14]);
            positions.0.insert(
                shard,
                Place {
                    incarnation,
                    position: u64::from_be_bytes(position),
                },
            );
        }
        Ok(positions)
    }

    /// Seals a cursor: `query` names the list with its filters and sort, `after` is the last key on the page.
    pub fn seal_cursor(&self, query: &str, after: &[u8]) -> String {
        self.seal(&format!("cursor/{query}"), after)
    }

    /// Opens a cursor of the same `query`; a cursor of another list, filter or sort is refused.
    pub fn open_cursor(&self, query: &str, text: &str) -> Result<Vec<u8>, TokenError> {
        self.open(&format!("cursor/{query}"), text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn token_should_round_trip_and_notice_any_change(
            entries in prop::collection::btree_map(any::<u16>(), (any::<u32>(), any::<u64>()), 0..20),
            flip in any::<prop::sample::Index>(),
        ) {
            let key = MacKey::new([7; 32]);
            let positions = Positions(entries.into_iter()
                .map(|(s, (incarnation, position))| (ShardNumber(s), Place { incarnation, position })).collect());
            let text = key.seal_token(&positions);
            prop_assert_eq!(key.open_token(&text), Ok(positions));
            prop_assert!(MacKey::new([8; 32]).open_token(&text).is_err());
            let mut bytes = text.into_bytes();
            let at = flip.index(bytes.len());
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            prop_assert!(key.open_token(&String::from_utf8_lossy(&bytes)).is_err());
        }

        #[test]
        fn garbage_should_be_refused_not_panic(text: String) {
            prop_assert!(MacKey::new([1; 32]).open_token(&text).is_err());
        }
    }

    #[test]
    fn tag_should_be_of_its_key_purpose_and_body() {
        let key = MacKey::new([7; 32]);
        let tag = key.tag("a", b"body");
        assert!(key.is_tag("a", b"body", &tag));
        assert!(!key.is_tag("b", b"body", &tag));
        assert!(!key.is_tag("a", b"bodz", &tag));
        assert!(!key.is_tag("a", b"body", &tag[..16]), "whole tags only");
        assert!(!MacKey::new([8; 32]).is_tag("a", b"body", &tag));
    }

    #[test]
    fn cursor_should_only_open_for_its_own_query() {
        let key = MacKey::new([7; 32]);
        let cursor = key.seal_cursor("transfers?status=failed", b"abc");
        assert_eq!(
            key.open_cursor("transfers?status=failed", &cursor),
            Ok(b"abc".to_vec())
        );
        assert_eq!(key.open_cursor("transfers", &cursor), Err(TokenError::Forged));
        assert_eq!(format!("{key:?}"), "MacKey(…)");
    }
}
