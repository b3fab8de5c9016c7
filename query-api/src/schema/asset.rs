//! Assets, and amounts of them.

use async_graphql::{ID, SimpleObject};
use vaultstream_event_schemas::chain::{AssetSettings, BlockRef, ChainSettings};
use vaultstream_event_schemas::{Amount as MinorUnits, AssetId, ChainId};

use super::scalar::{Amount, Long};
use crate::services::Services;

/// Something a chain's accounts can hold.
#[derive(SimpleObject, Debug, Clone)]
pub struct Asset {
    /// CAIP-19 name.
    pub id: ID,
    /// Short symbol, such as `ETH`.
    pub symbol: String,
    /// How many decimal places a whole unit has.
    pub decimals: i32,
    /// CAIP-2 name of its chain.
    pub chain: ID,
    /// Whether it pays the fees of its chain.
    pub native: bool,
}

impl Asset {
    /// The assets of a chain, the native one first.
    pub fn of_chain(chain: &ChainSettings) -> Vec<Self> {
        let of = |(i, asset): (usize, &AssetSettings)| Self {
            id: ID::from(&asset.id),
            symbol: asset.symbol.clone(),
            decimals: asset.decimals.into(),
            chain: ID::from(&chain.id),
            native: i == 0,
        };
        chain.assets.iter().enumerate().map(of).collect()
    }
}

/// An amount of an asset.
#[derive(SimpleObject, Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// CAIP-19 name.
    pub asset: ID,
    /// How many minor units.
    pub minor: Amount,
    /// How many decimal places a whole unit has.
    pub decimals: i32,
    /// Short symbol, such as `ETH`.
    pub symbol: String,
}

impl Money {
    /// An amount with its asset's settings; an asset that is no longer listed keeps its name as its symbol.
    pub fn new(services: &Services, asset: &AssetId, minor: MinorUnits) -> Self {
        let settings = services.asset(asset);
        Self {
            asset: ID::from(asset),
            minor: Amount(minor),
            decimals: settings.map_or(0, |s| s.decimals.into()),
            symbol: settings.map_or_else(|| asset.to_string(), |s| s.symbol.clone()),
        }
    }

    /// A fee: an amount of a chain's native asset.
    pub fn fee(services: &Services, chain: &ChainId, minor: MinorUnits) -> Option<Self> {
        services
            .native(chain)
            .map(|native| Self::new(services, &native.id, minor))
    }
}

/// A block by hash and height; the hash is what counts.
#[derive(SimpleObject, Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The block's hash, lower case.
    pub hash: String,
    /// The block's height.
    pub height: Long,
}

impl From<&BlockRef> for Block {
    fn from(block: &BlockRef) -> Self {
        Self {
            hash: block.hash.clone(),
            height: Long(block.height),
        }
    }
}
