//! A stored event as one self-contained record: what the bus carries from the log to its readers.
//!
//! A record is canonical JSON with six fields: `envelope`, `hash`, `hlc`, `payload`, `position`, `previous`. Envelope and
//! payload stand in it byte for byte as they were hashed, so that a reader checks the hash over what it received and
//! nothing is lost by a detour through structs. Refuses: a record that is cut, has a field nobody declared, or whose
//! bytes do not give its hash.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::canonical::{self, CanonicalError};
use crate::clock::Hlc;
use crate::envelope::{Envelope, Hash, IntegrityError, StoredEvent, event_hash};

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// They are cut, or have another shape.
    #[error("the record cannot be read: it is cut or no record")]
    Form(#[source] serde_json::Error),
    /// A hash is not 64 hexadecimal digits.
    #[error("`{0}` of the record is no SHA-256 digest in hexadecimal")]
    Digest(&'static str),
    /// Positions are counted from 1.
    #[error("`position` of the record is 0; the first of a shard is 1")]
    Position,
    /// The bytes are not what was written.
    #[error(transparent)]
    Integrity(#[from] IntegrityError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    envelope: &'a RawValue,
    hash: &'a str,
    hlc: u64,
    #[serde(borrow)]
    payload: &'a RawValue,
    position: u64,
    previous: &'a str,
}

/// The record of an event.
pub fn encode(event: &StoredEvent) -> Result<Vec<u8>, CanonicalError> {
    let envelope = canonical::to_bytes(&event.envelope)?;
    let mut out = Vec::with_capacity(envelope.len() + event.payload.len() + 256);
    out.extend_from_slice(b"{\"envelope\":");
    out.extend_from_slice(&envelope);
    out.extend_from_slice(b",\"hash\":\"");
    out.extend_from_slice(hex::encode(event.hash).as_bytes());
    out.extend_from_slice(b"\",\"hlc\":");
    out.extend_from_slice(event.hlc.0.to_string().as_bytes());
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(&event.payload);
    out.extend_from_slice(b",\"position\":");
    out.extend_from_slice(event.position.to_string().as_bytes());
    out.extend_from_slice(b",\"previous\":\"");
    out.extend_from_slice(hex::encode(event.previous).as_bytes());
    out.extend_from_slice(b"\"}");
    debug_assert!(canonical::is_canonical(&out), "records are canonical");
    Ok(out)
}

/// The parts of a record, as they stand in it: nothing of them is checked.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The envelope's bytes.
    pub envelope: &'a [u8],
    /// The payload's bytes.
    pub payload: &'a [u8],
    /// The hash of the stream before the event.
    pub previous: Hash,
    /// The hash of the event, as the record says.
    pub hash: Hash,
    /// Its place in its shard.
    pub position: u64,
    /// The shard's clock at it.
    pub hlc: Hlc,
}

/// Takes a record apart.
pub fn parts(bytes: &[u8]) -> Result<Parts<'_>, RecordError> {
    let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(RecordError::Form)?;
    let digest = |text: &str, field| {
        let mut hash: Hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| RecordError::Digest(field))?;
        Ok::<Hash, RecordError>(hash)
    };
    Ok(Parts {
        envelope: wire.envelope.get().as_bytes(),
        payload: wire.payload.get().as_bytes(),
        previous: digest(wire.previous, "previous")?,
        hash: digest(wire.hash, "hash")?,
        position: wire.position,
        hlc: Hlc(wire.hlc),
    })
}

/// The event of a record, after its hash was recomputed from the bytes received. Position and hlc are covered by the
/// shard's tree, not by this hash.
pub fn decode(bytes: &[u8]) -> Result<StoredEvent, RecordError> {
    let parts = parts(bytes)?;
    if parts.position == 0 {
        return Err(RecordError::Position);
    }
    let envelope: Envelope = serde_json::from_slice(parts.envelope).map_err(IntegrityError::Envelope)?;
    if event_hash(parts.envelope, parts.payload, &parts.previous) != parts.hash {
        return Err(IntegrityError::Hash(envelope.event_ref()).into());
    }
    Ok(StoredEvent {
        position: parts.position,
        hlc: parts.hlc,
        envelope,
        payload: parts.payload.to_vec(),
        previous: parts.previous,
        hash: parts.hash,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::envelope::GENESIS;

    /// The golden transfer's first event.
    pub(crate) fn event() -> StoredEvent {
        let envelope: Envelope =
            serde_json::from_slice(include_bytes!("../golden/envelope.json")).expect("the golden envelope");
        let payload = include_bytes!("../golden/transfer.requested.v1.json").to_vec();
        let bytes = canonical::to_bytes(&envelope).expect("canonical");
        StoredEvent {
            position: 42,
            hlc: Hlc(1_795_000_000_000_004),
            hash: event_hash(&bytes, &payload, &GENESIS),
            previous: GENESIS,
            envelope,
            payload,
        }
    }

    #[test]
    fn record_should_round_trip_and_be_canonical() {
        let bytes = encode(&event()).expect("encoded");
        assert!(canonical::is_canonical(&bytes));
        assert_eq!(decode(&bytes).expect("decoded"), event());
    }

    #[test]
    fn every_cut_of_a_record_should_be_refused() {
        let bytes = encode(&event()).expect("encoded");
        for length in 0..bytes.len() {
            assert!(
                matches!(decode(&bytes[..length]), Err(RecordError::Form(_))),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn position_before_the_first_should_be_refused() {
        let event = StoredEvent {
            position: 0,
            ..event()
        };
        let refused = decode(&encode(&event).expect("encodes"));
        assert!(matches!(refused, Err(RecordError::Position)), "{refused:?}");
    }

    #[test]
    fn changed_bytes_should_be_found_by_the_hash() {
        let text = String::from_utf8(encode(&event()).expect("encoded")).expect("UTF-8");
        let sequence = format!("\"sequence\":{}", event().envelope.sequence);
        assert!(text.contains(&sequence), "the test changes something");
        let changed = text.replacen(&sequence, "\"sequence\":9", 1);
        assert!(matches!(
            decode(changed.as_bytes()),
            Err(RecordError::Integrity(IntegrityError::Hash(_)))
        ));
        let wrong = text.replacen(&hex::encode(event().hash), "abc", 1);
        assert!(matches!(
            decode(wrong.as_bytes()),
            Err(RecordError::Digest("hash"))
        ));
        let more = text.replacen("{\"envelope\"", "{\"a\":1,\"envelope\"", 1);
        assert!(matches!(decode(more.as_bytes()), Err(RecordError::Form(_))));
    }
}
