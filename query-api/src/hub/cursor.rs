//! The cursor of a log subscription: positions by shard under their own purpose, so that a consistency token is no
//! cursor and a cursor is no token.

use vaultstream_event_schemas::token::{MacKey, Place, Positions, TokenError};
use vaultstream_event_schemas::{ErrorCode, ShardNumber};

use crate::refusal::{self, Refusal};

const QUERY: &str = "events/1";
const ENTRY: usize = 14;

/// Seals the positions a reader has passed.
pub fn seal_cursor(key: &MacKey, positions: &Positions) -> String {
    let mut body = Vec::with_capacity(positions.0.len() * ENTRY);
    for (shard, place) in &positions.0 {
        body.extend_from_slice(&shard.0.to_be_bytes());
        body.extend_from_slice(&place.incarnation.to_be_bytes());
        body.extend_from_slice(&place.position.to_be_bytes());
    }
    key.seal_cursor(QUERY, &body)
}

/// Opens what [`seal_cursor`] made.
pub fn open_cursor(key: &MacKey, text: &str) -> Result<Positions, Refusal> {
    let refuse = |e| refusal::token(ErrorCode::CursorInvalid, "after", e);
    let body = key.open_cursor(QUERY, text).map_err(refuse)?;
    if body.len() % ENTRY != 0 {
        return Err(refuse(TokenError::Form));
    }
    let mut positions = Positions::default();
    for entry in body.chunks_exact(ENTRY) {
        let mut position = [0u8; 8];
        position.copy_from_slice(&entry[6..]);
        positions.0.insert(
            ShardNumber(u16::from_be_bytes([entry[0], entry[1]])),
            Place {
                incarnation: u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]),
                position: u64::from_be_bytes(position),
            },
        );
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_should_round_trip_and_be_no_token() {
        let key = MacKey::new([3; 32]);
        let positions = Positions::one(
            ShardNumber(7),
            Place {
                incarnation: 2,
                position: 1 << 40,
            },
        );
        let cursor = seal_cursor(&key, &positions);
        assert_eq!(open_cursor(&key, &cursor), Ok(positions.clone()));
        assert!(key.open_token(&cursor).is_err());
        let token = open_cursor(&key, &key.seal_token(&positions)).expect_err("a token is no cursor");
        assert_eq!(token.code, ErrorCode::CursorInvalid);
        assert!(open_cursor(&MacKey::new([4; 32]), &cursor).is_err());
    }
}
