//! Names of chains and assets by the Chain Agnostic Improvement Proposals, and the slug that stands for a chain in
//! topics, keyspaces, files and metrics.
//!
//! `ChainId` is CAIP-2 (`eip155:31337`), `AssetId` CAIP-19 (`eip155:31337/slip44:60`). Refuses other alphabets,
//! other lengths, empty parts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is no chain, asset or slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {wanted}")]
pub struct CaipError {
    given: String,
    wanted: &'static str,
}

fn error(given: &str, wanted: &'static str) -> CaipError {
    CaipError {
        given: given.chars().take(64).collect(),
        wanted,
    }
}

fn is_word(text: &str, min: usize, max: usize, allowed: fn(u8) -> bool) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(allowed)
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the form and keeps the text.
            pub fn try_new(text: &str) -> Result<Self, CaipError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(error(text, $wanted)) }
            }
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = CaipError;
            fn from_str(text: &str) -> Result<Self, CaipError> { Self::try_new(text) }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(&self.0) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                Self::try_new(&text).map_err(serde::de::Error::custom)
            }
        }
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

fn namespace_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

fn reference_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

fn asset_reference_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'%')
}

fn is_chain(text: &str) -> bool {
    text.split_once(':').is_some_and(|(namespace, reference)| {
        is_word(namespace, 3, 8, namespace_byte) && is_word(reference, 1, 32, reference_byte)
    })
}

fn is_asset(text: &str) -> bool {
    text.split_once('/').is_some_and(|(chain, asset)| {
        is_chain(chain)
            && asset.split_once(':').is_some_and(|(namespace, reference)| {
                is_word(namespace, 3, 8, namespace_byte) && is_word(reference, 1, 128, asset_reference_byte)
            })
    })
}

text_type! {
    /// A chain by CAIP-2, such as `eip155:1`.
    ChainId, "CAIP-2 chain id such as eip155:1", "^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$", is_chain
}
text_type! {
    /// An asset by CAIP-19, such as `eip155:1/slip44:60` or `eip155:1/erc20:0x…`.
    AssetId, "CAIP-19 asset id such as eip155:1/slip44:60",
    "^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}/[-a-z0-9]{3,8}:[-.%a-zA-Z0-9]{1,128}$", is_asset
}
text_type! {
    /// A chain's short name, unique and immutable: `[a-z][a-z0-9_]{1,19}`.
    Slug, "slug of 2 to 20 characters a-z 0-9 _ that begins with a letter", "^[a-z][a-z0-9_]{1,19}$", |text| {
        is_word(text, 2, 20, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
    }
}

impl ChainId {
    /// The namespace, such as `eip155`.
    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or("", |(n, _)| n)
    }
    /// The reference inside the namespace, such as `31337`.
    pub fn reference(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, r)| r)
    }
}

impl AssetId {
    /// The chain the asset lives on.
    pub fn chain(&self) -> ChainId {
        ChainId(self.0.split_once('/').map_or("", |(c, _)| c).into())
    }
    /// The asset's namespace and reference, such as `("erc20", "0x…")`.
    pub fn parts(&self) -> (&str, &str) {
        self.0
            .split_once('/')
            .and_then(|(_, a)| a.split_once(':'))
            .unwrap_or(("", ""))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_should_follow_their_grammar() {
        let asset = AssetId::try_new("eip155:31337/slip44:60").expect("valid");
        assert_eq!(asset.chain().as_str(), "eip155:31337");
        assert_eq!(asset.parts(), ("slip44", "60"));
        for bad in [
            "",
            "eip155",
            "eip155:",
            ":1",
            "EIP155:1",
            "ei:1",
            "eip155:1:2",
            "eip155:1 ",
        ] {
            assert!(ChainId::try_new(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "eip155:1",
            "eip155:1/",
            "eip155:1/slip44",
            "eip155:1/slip44:",
            "eip155:1/slip44:60/1",
        ] {
            assert!(AssetId::try_new(bad).is_err(), "{bad:?}");
        }
        for bad in ["e", "Eth", "1eth", "_eth", "eth-main", "a23456789012345678901"] {
            assert!(Slug::try_new(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_should_be_refused_not_panic(text: String) {
            let _ = ChainId::try_new(&text);
            let _ = Slug::try_new(&text);
            if let Ok(asset) = AssetId::try_new(&text) {
                prop_assert!(ChainId::try_new(asset.chain().as_str()).is_ok());
            }
        }
    }
}
