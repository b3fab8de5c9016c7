//! The envelope around every payload, and the hashes that make history checkable.
//!
//! (stream, sequence) is an event's identity. `event_hash` = SHA-256(tag ‖ canonical envelope ‖ payload ‖ previous
//! hash of the stream); position and hlc are given by the log at append and therefore live beside the envelope,
//! covered by the leaf hash of the shard. Lengths are hashed in front of each part, so parts cannot run together.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::actor::Actor;
use crate::canonical::{self, CanonicalError};
use crate::clock::{Hlc, Timestamp};
use crate::id::{CommandId, OrganizationId, StreamId, VaultId};
use crate::payload::Encoded;
use crate::placement::ShardNumber;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The previous hash of a stream's first event.
pub const GENESIS: Hash = [0; 32];

/// The name of one event: its stream and its sequence in it, from 1. Text is `trf_…/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventRef {
    /// The stream.
    pub stream: StreamId,
    /// The sequence in the stream, from 1.
    pub sequence: u64,
}

impl std::fmt::Display for EventRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.stream, self.sequence)
    }
}

/// The text is no event reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event reference such as trf_…/3")]
pub struct EventRefError(String);

impl std::str::FromStr for EventRef {
    type Err = EventRefError;
    fn from_str(text: &str) -> Result<Self, EventRefError> {
        let error = || EventRefError(text.chars().take(64).collect());
        let (stream, sequence) = text.split_once('/').ok_or_else(error)?;
        let read = Self {
            stream: stream.parse().map_err(|_| error())?,
            sequence: sequence.parse().map_err(|_| error())?,
        };
        // An event has one name: no sign, no zeros in front.
        if read.sequence.to_string() == sequence {
            Ok(read)
        } else {
            Err(error())
        }
    }
}

impl Serialize for EventRef {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for EventRef {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Who owns what an event is about: a vault, or the aggregate itself. Text is `vlt_…` or `self`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The aggregate owns itself.
    Itself,
    /// A vault owns it.
    Vault(VaultId),
}

impl Owner {
    /// The vault, when a vault owns it.
    pub const fn vault(self) -> Option<VaultId> {
        match self {
            Self::Itself => None,
            Self::Vault(id) => Some(id),
        }
    }
}

impl Serialize for Owner {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Itself => s.serialize_str("self"),
            Self::Vault(id) => s.collect_str(id),
        }
    }
}
impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        if text == "self" {
            return Ok(Self::Itself);
        }
        text.parse().map(Self::Vault).map_err(serde::de::Error::custom)
    }
}

/// Everything that is known of an event before it is appended. Fields stand in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Who caused it.
    pub actor: Actor,
    /// The event that led to it, when an event did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub causation: Option<EventRef>,
    /// The command that produced it.
    pub command: CommandId,
    /// Which life of the shard it was written in.
    pub incarnation: u32,
    /// When it was decided, by the process's clock.
    pub occurred_at: Timestamp,
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose it is.
    pub owner: Owner,
    /// Its place in its stream, from 1.
    pub sequence: u64,
    /// The shard that owns the stream.
    pub shard: ShardNumber,
    /// The stream.
    pub stream: StreamId,
    /// W3C `traceparent` of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<String>,
    /// The event type's name on the wire.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The version of the payload.
    pub version: u16,
}

impl Envelope {
    /// The name of the event.
    pub const fn event_ref(&self) -> EventRef {
        EventRef {
            stream: self.stream,
            sequence: self.sequence,
        }
    }
}

/// An event hashed and ready to be appended; the log adds position and hlc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedEvent {
    /// The envelope.
    pub envelope: Envelope,
    /// The envelope's canonical bytes.
    pub envelope_bytes: Vec<u8>,
    /// The payload's canonical bytes.
    pub payload: Vec<u8>,
    /// The hash of the stream before this event; [`GENESIS`] for the first.
    pub previous: Hash,
    /// The hash of this event.
    pub hash: Hash,
}

impl HashedEvent {
    /// Hashes an encoded payload under its envelope onto the stream's previous hash.
    pub fn try_new(envelope: Envelope, encoded: Encoded, previous: Hash) -> Result<Self, CanonicalError> {
        let envelope_bytes = canonical::to_bytes(&envelope)?;
        let hash = event_hash(&envelope_bytes, &encoded.payload, &previous);
        Ok(Self {
            envelope,
            envelope_bytes,
            payload: encoded.payload,
            previous,
            hash,
        })
    }
}

/// SHA-256 over the tag, the canonical envelope, the payload and the previous hash, each with its length in front.
pub fn event_hash(envelope: &[u8], payload: &[u8], previous: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"vaultstream/event/v1");
    for part in [envelope, payload, previous.as_slice()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The leaf of an event in its shard's tree: SHA-256(0x00 ‖ shard ‖ incarnation ‖ position ‖ hlc ‖ event hash).
pub fn leaf_hash(shard: ShardNumber, incarnation: u32, position: u64, hlc: Hlc, event: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0u8]);
    hash.update(shard.0.to_be_bytes());
    hash.update(incarnation.to_be_bytes());
    hash.update(position.to_be_bytes());
    hash.update(hlc.0.to_be_bytes());
    hash.update(event);
    hash.finalize().into()
}

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in its shard, dense from 1.
    pub position: u64,
    /// The shard's clock at this event.
    pub hlc: Hlc,
    /// The envelope.
    pub envelope: Envelope,
    /// The payload's canonical bytes, as written, before any upcast.
    pub payload: Vec<u8>,
    /// The hash of the stream before this event.
    pub previous: Hash,
    /// The hash of this event.
    pub hash: Hash,
}

/// Why a stored event is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum IntegrityError {
    /// The envelope cannot be read.
    #[error("the stored envelope cannot be read")]
    Envelope(#[source] serde_json::Error),
    /// The envelope cannot be written back canonically.
    #[error("the stored envelope has no canonical form")]
    Canonical(#[from] CanonicalError),
    /// The bytes do not give the stored hash.
    #[error("event {0} does not match its hash")]
    Hash(EventRef),
}

impl StoredEvent {
    /// Rebuilds an event from stored columns; the hash is not recomputed here, see [`Self::verify`].
    pub fn from_stored(
        position: u64,
        hlc: Hlc,
        envelope: &[u8],
        payload: Vec<u8>,
        hashes: (Hash, Hash),
    ) -> Result<Self, IntegrityError> {
        let envelope = serde_json::from_slice(envelope).map_err(IntegrityError::Envelope)?;
        Ok(Self {
            position,
            hlc,
            envelope,
            payload,
            previous: hashes.0,
            hash: hashes.1,
        })
    }

    /// Recomputes the hash from the bytes.
    pub fn verify(&self) -> Result<(), IntegrityError> {
        let envelope = canonical::to_bytes(&self.envelope)?;
        if event_hash(&envelope, &self.payload, &self.previous) == self.hash {
            Ok(())
        } else {
            Err(IntegrityError::Hash(self.envelope.event_ref()))
        }
    }

    /// The payload as raw JSON.
    pub fn payload_json(&self) -> Result<&RawValue, serde_json::Error> {
        serde_json::from_slice(&self.payload)
    }
}
