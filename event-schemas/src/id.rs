//! Identifiers: typed, time-ordered, and carrying the shard that owns them. The layout is drawn in
//! `docs/ids.md`.
//!
//! Text is `<prefix>_<26 characters of lower-case Crockford base32>`; it sorts like the 128 bits do.
//! Random ids are UUIDv7 whose top 16 random bits hold the shard's number; derived ids are UUIDv8 that begin with
//! the shard's number and go on with a truncated SHA-256. Refuses: a foreign prefix, upper case, other lengths,
//! non-zero padding, other UUID versions.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{BitOrder, Encoding, Specification};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::placement::ShardNumber;

static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    spec.bit_order = BitOrder::MostSignificantFirst;
    spec.encoding()
        .expect("the Crockford alphabet has 32 distinct symbols")
});

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {wanted} id; expected `{prefix}_` and 26 characters of 0-9 a-z without i, l, o, u")]
pub struct IdError {
    /// What was given, cut to 64 characters.
    pub given: String,
    /// Which kind of id was wanted.
    pub wanted: &'static str,
    /// The prefix such an id has.
    pub prefix: &'static str,
}

const V7_RAND_A: u32 = 64; // rand_a: bits 64..76 of the u128, counted from the least significant bit
const V7_RAND_B_TOP: u32 = 58; // the top four bits of rand_b: bits 58..62

/// A UUIDv7 from a time (milliseconds since the epoch) and 128 random bits; its shard bits are zero.
pub fn random(unix_ms: u64, entropy: u128) -> Uuid {
    let time = u128::from(unix_ms & 0xffff_ffff_ffff) << 80;
    let rand_b = entropy & ((1 << V7_RAND_B_TOP) - 1);
    Uuid::from_u128(time | (0x7 << 76) | (0b10 << 62) | rand_b)
}

/// A UUIDv8 derived from a domain tag and parts: the same parts always give the same id; its shard bits are zero.
/// Parts are length-prefixed, so `["ab","c"]` and `["a","bc"]` differ.
pub fn derived(tag: &str, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"vaultstream/id/");
    hash.update((tag.len() as u64).to_be_bytes());
    hash.update(tag.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0u8; 16];
    bytes[2..].copy_from_slice(&hash.finalize()[..14]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

/// Writes a shard's number into an id of version 7 or 8.
pub fn with_shard(id: Uuid, shard: ShardNumber) -> Uuid {
    let n = u128::from(shard.0);
    let bare = without_shard(id).as_u128();
    Uuid::from_u128(match id.get_version_num() {
        7 => bare | ((n >> 4) << V7_RAND_A) | ((n & 0xf) << V7_RAND_B_TOP),
        _ => bare | (n << 112),
    })
}

/// The id with its shard bits zeroed: what placement hashes.
pub fn without_shard(id: Uuid) -> Uuid {
    Uuid::from_u128(match id.get_version_num() {
        7 => id.as_u128() & !((0xfff << V7_RAND_A) | (0xf << V7_RAND_B_TOP)),
        _ => id.as_u128() & !(0xffff << 112),
    })
}

/// Reads the shard's number out of an id.
pub fn shard_of(id: Uuid) -> ShardNumber {
    let bits = id.as_u128();
    let n = match id.get_version_num() {
        7 => (((bits >> V7_RAND_A) & 0xfff) << 4) | ((bits >> V7_RAND_B_TOP) & 0xf),
        _ => bits >> 112,
    };
    ShardNumber(u16::try_from(n & 0xffff).expect("16 bits were kept"))
}

fn encode(prefix: &str, id: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; 26];
    BASE32.encode_mut(id.as_bytes(), &mut text);
    f.write_str(prefix)?;
    f.write_str("_")?;
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn decode(wanted: &'static str, prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = || IdError {
        given: text.chars().take(64).collect(),
        wanted,
        prefix,
    };
    let body = text
        .strip_prefix(prefix)
        .and_then(|t| t.strip_prefix('_'))
        .ok_or_else(error)?;
    if body.len() != 26 {
        return Err(error());
    }
    let bytes = BASE32.decode(body.as_bytes()).map_err(|_| error())?;
    let id = Uuid::from_slice(&bytes).map_err(|_| error())?;
    match id.get_version_num() {
        7 | 8 => Ok(id),
        _ => Err(error()),
    }
}

macro_rules! stream_kinds {
    ($($(#[$doc:meta])* $kind:ident, $id:ident, $prefix:literal, $code:literal, $word:literal;)+) => {
        /// What a stream is about; the prefix and the code are part of the format and never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StreamKind { $($(#[$doc])* $kind),+ }

        impl StreamKind {
            /// Every kind, in order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
            /// The prefix of the ids of this kind.
            pub const fn prefix(self) -> &'static str { match self { $(Self::$kind => $prefix),+ } }
            /// The stable code that stands for the kind in stored keys.
            pub const fn code(self) -> u8 { match self { $(Self::$kind => $code),+ } }
            /// The kind's word, which is also the first part of its event types.
            pub const fn word(self) -> &'static str { match self { $(Self::$kind => $word),+ } }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $id(Uuid);

            impl $id {
                /// The kind of stream this id names.
                pub const KIND: StreamKind = StreamKind::$kind;
                /// Takes a UUID of version 7 or 8 that already carries its shard.
                pub const fn from_uuid(id: Uuid) -> Self { Self(id) }
                /// The 128 bits.
                pub const fn uuid(self) -> Uuid { self.0 }
                /// The shard that owns this stream.
                pub fn shard(self) -> ShardNumber { shard_of(self.0) }
                /// This id as the name of its stream.
                pub const fn stream(self) -> StreamId { StreamId { kind: StreamKind::$kind, id: self.0 } }
            }

            impl From<$id> for StreamId { fn from(id: $id) -> Self { id.stream() } }

            impl TryFrom<StreamId> for $id {
                type Error = IdError;
                fn try_from(stream: StreamId) -> Result<Self, IdError> {
                    if stream.kind == StreamKind::$kind {
                        Ok(Self(stream.id))
                    } else {
                        Err(IdError { given: stream.to_string(), wanted: $word, prefix: $prefix })
                    }
                }
            }

            impl fmt::Display for $id {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { encode($prefix, self.0, f) }
            }
            impl fmt::Debug for $id {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { encode($prefix, self.0, f) }
            }
            impl FromStr for $id {
                type Err = IdError;
                fn from_str(text: &str) -> Result<Self, IdError> { decode($word, $prefix, text).map(Self) }
            }
            impl Serialize for $id {
                fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
            }
            impl<'de> Deserialize<'de> for $id {
                fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
            #[cfg(feature = "schema")]
            impl schemars::JsonSchema for $id {
                fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($id).into() }
                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({
                        "type": "string",
                        "pattern": concat!("^", $prefix, "_[0-9a-hjkmnp-tv-z]{26}$")
                    })
                }
            }
        )+
    };
}

stream_kinds! {
    /// An organization: the tenant every other aggregate names.
    Organization, OrganizationId, "org", 1, "organization";
    /// A key that a client signs in with.
    ApiKey, ApiKeyId, "key", 2, "api_key";
    /// A browser session, offered as a one-time link or opened with a key.
    Session, SessionId, "ses", 3, "session";
    /// A claim: one value of one kind, bound once, for ever.
    Claim, ClaimId, "clm", 4, "claim";
    /// A vault: the owner of accounts.
    Vault, VaultId, "vlt", 5, "vault";
    /// An account: one key on one chain.
    Account, AccountId, "acc", 6, "account";
    /// The slots of an account (its nonces); the id repeats the account's bits.
    Slots, SlotsId, "slt", 7, "slots";
    /// A transfer: the intent to move money once.
    Transfer, TransferId, "trf", 8, "transfer";
    /// An execution: the on-chain life of intents.
    Execution, ExecutionId, "exe", 9, "execution";
    /// The generations of one view.
    ViewGeneration, ViewGenerationId, "vwg", 10, "view_generation";
    /// What one credential read as an auditor, on one day.
    AuditTrail, AuditTrailId, "aud", 11, "audit";
    /// A log that was behind its mark, and its release.
    Rewind, RewindId, "rwd", 12, "rewind";
}

impl AccountId {
    /// The one slots stream of this account.
    pub const fn slots(self) -> SlotsId {
        SlotsId::from_uuid(self.0)
    }
}

impl SlotsId {
    /// The account these slots belong to.
    pub const fn account(self) -> AccountId {
        AccountId::from_uuid(self.0)
    }
}

/// The id of a command: given by the door, kept in every event it caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(Uuid);

impl CommandId {
    /// Takes a UUID of version 7 or 8.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }
    /// The 128 bits.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode("cmd", self.0, f)
    }
}
impl FromStr for CommandId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        decode("command", "cmd", text).map(Self)
    }
}
impl Serialize for CommandId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for CommandId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a stream: its kind and its 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// What the stream is about.
    pub kind: StreamKind,
    /// The 128 bits, shard included.
    pub id: Uuid,
}

impl StreamId {
    /// The shard that owns this stream.
    pub fn shard(self) -> ShardNumber {
        shard_of(self.id)
    }

    /// Seventeen bytes for stored keys: the kind's code, then the id.
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0u8; 17];
        bytes[0] = self.kind.code();
        bytes[1..].copy_from_slice(self.id.as_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for an unknown kind or another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (code, id) = bytes.split_first()?;
        let kind = *StreamKind::ALL.iter().find(|k| k.code() == *code)?;
        Some(Self {
            kind,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode(self.kind.prefix(), self.id, f)
    }
}

impl FromStr for StreamId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            given: text.chars().take(64).collect(),
            wanted: "stream",
            prefix: "<prefix>",
        };
        let kind = StreamKind::ALL
            .iter()
            .find(|k| text.split('_').next() == Some(k.prefix()))
            .ok_or_else(error)?;
        decode(kind.word(), kind.prefix(), text).map(|id| Self { kind: *kind, id })
    }
}

impl Serialize for StreamId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shard_should_survive_every_id(ms in 0u64..1 << 48, entropy: u128, shard: u16, parts: Vec<u8>) {
            for id in [random(ms, entropy), derived("t", &[&parts])] {
                let placed = with_shard(id, ShardNumber(shard));
                prop_assert_eq!(shard_of(placed), ShardNumber(shard));
                prop_assert_eq!(without_shard(placed), id);
                prop_assert_eq!(placed.get_version_num(), id.get_version_num());
                let text = TransferId::from_uuid(placed).to_string();
                prop_assert_eq!(text.parse::<TransferId>().map(TransferId::uuid), Ok(placed));
                let stream = StreamId { kind: StreamKind::Transfer, id: placed };
                prop_assert_eq!(StreamId::from_bytes(&stream.to_bytes()), Some(stream));
            }
        }

        #[test]
        fn text_should_sort_like_time(a in 0u64..1 << 48, b in 0u64..1 << 48, e: u128, f: u128) {
            prop_assume!(a != b);
            let (x, y) = (VaultId::from_uuid(random(a, e)), VaultId::from_uuid(random(b, f)));
            prop_assert_eq!(a < b, x.to_string() < y.to_string());
        }

        #[test]
        fn garbage_should_be_refused_not_panic(text: String) {
            let _ = text.parse::<StreamId>();
            let _ = format!("vlt_{text}").parse::<VaultId>();
        }
    }

    #[test]
    fn id_should_refuse_other_kinds_and_forms() {
        let good = VaultId::from_uuid(random(1, 2)).to_string();
        assert!(good.parse::<TransferId>().is_err());
        assert!(good.to_uppercase().parse::<VaultId>().is_err());
        assert!(good[..good.len() - 1].parse::<VaultId>().is_err());
        assert!(
            format!("{}z", &good[..good.len() - 1])
                .parse::<VaultId>()
                .is_err(),
            "padding bits must be zero"
        );
        assert!(
            "vlt_00000000000000000000000000".parse::<VaultId>().is_err(),
            "version must be 7 or 8"
        );
    }

    #[test]
    fn derived_parts_should_not_run_together() {
        assert_ne!(derived("t", &[b"ab", b"c"]), derived("t", &[b"a", b"bc"]));
        assert_ne!(derived("t", &[b"a"]), derived("u", &[b"a"]));
    }
}
