//! The fields of public events that sentences use. Everything else is read past: the API may add fields at any time.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use vaultstream_event_schemas::Amount;

/// What a public event may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventData {
    /// Minor units that are paid.
    pub amount: Option<Amount>,
    /// Minor units that are held.
    pub minor: Option<Amount>,
    /// CAIP-19 name of the asset.
    pub asset: Option<String>,
    /// To whom.
    pub destination: Option<String>,
    /// An account's address.
    pub address: Option<String>,
    /// CAIP-2 name of a chain.
    pub chain: Option<String>,
    /// A name that was given.
    pub name: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// An error code.
    pub code: Option<String>,
    /// What a node answered.
    pub outcome: Option<String>,
    /// How transfers are approved.
    pub approval: Option<String>,
    /// The block it happened in.
    pub block: Option<BlockHeight>,
}

/// A block, by its height only.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BlockHeight {
    /// Its height.
    #[serde(deserialize_with = "height")]
    pub height: u64,
}

/// Heights are numbers in payloads; large ones are texts in the canonical form.
fn height<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    d.deserialize_any(Height)
}

struct Height;

impl Visitor<'_> for Height {
    type Value = u64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a height")
    }
    fn visit_u64<E>(self, height: u64) -> Result<u64, E> {
        Ok(height)
    }
    fn visit_str<E: Error>(self, height: &str) -> Result<u64, E> {
        height.parse().map_err(E::custom)
    }
}
