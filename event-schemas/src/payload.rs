//! What every payload struct has in common: a name, an integer version, a canonical form.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::canonical::{self, CanonicalError};

/// A payload of one event type at one version. The struct never changes once it was written to a log.
pub trait Payload: Serialize + DeserializeOwned {
    /// The type's name on the wire, such as `transfer.requested`.
    const TYPE: &'static str;
    /// The version, from 1.
    const VERSION: u16;
}

/// A payload ready to be hashed and appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The type's name on the wire.
    pub event_type: &'static str,
    /// The version of the payload.
    pub version: u16,
    /// The canonical bytes.
    pub payload: Vec<u8>,
}

/// Encodes a payload canonically.
pub fn encode<P: Payload>(payload: &P) -> Result<Encoded, CanonicalError> {
    Ok(Encoded {
        event_type: P::TYPE,
        version: P::VERSION,
        payload: canonical::to_bytes(payload)?,
    })
}

/// Declares payload structs of one version of one context, with their names on the wire and an index of them.
/// Fields must stand in alphabetical order: that is the canonical form.
#[macro_export]
macro_rules! payloads {
    ($version:literal; $($(#[$doc:meta])* $name:ident = $wire:literal { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            pub struct $name {
                $($(#[$fdoc])* pub $field: $ty,)*
            }

            impl $crate::payload::Payload for $name {
                const TYPE: &'static str = $wire;
                const VERSION: u16 = $version;
            }
        )+

        /// The names on the wire of all payloads of this module.
        pub const TYPES: &[&str] = &[$($wire),+];

        /// Reads a payload of this module and writes it back; `None` for a type of another module. What was written by
        /// any release comes back byte for byte.
        pub fn rewrite(event_type: &str, payload: &[u8]) -> Option<Result<Vec<u8>, serde_json::Error>> {
            match event_type {
                $($wire => Some(serde_json::from_slice::<$name>(payload).and_then(|p| serde_json::to_vec(&p))),)+
                _ => None,
            }
        }

        /// The JSON Schemas of all payloads of this module, by name on the wire and version.
        #[cfg(feature = "schema")]
        pub fn schemas() -> Vec<(&'static str, u16, schemars::Schema)> {
            vec![$(($wire, $version, schemars::schema_for!($name))),+]
        }
    };
}
