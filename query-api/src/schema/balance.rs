//! What accounts hold.

use async_graphql::{ID, SimpleObject};
use vaultstream_event_schemas::AssetId;
use vaultstream_projectors::rows::BalanceRow;

use super::asset::{Block, Money};
use super::scalar::{Amount, Timestamp};
use crate::services::Services;

/// What an account holds of one asset, as last read from its chain.
#[derive(SimpleObject, Debug, Clone)]
pub struct Balance {
    /// The vault that owns the account.
    pub vault_id: ID,
    /// The account.
    pub account_id: ID,
    /// CAIP-19 name.
    pub asset: ID,
    /// How many minor units.
    pub minor: Amount,
    /// How many decimal places a whole unit has.
    pub decimals: i32,
    /// Short symbol, such as `ETH`.
    pub symbol: String,
    /// The block the reading is true at.
    pub block: Block,
    /// When it was read.
    pub observed_at: Timestamp,
}

impl Balance {
    /// A row with its asset's settings.
    pub fn new(services: &Services, row: &BalanceRow) -> Self {
        let money = Money::new(services, &row.asset, row.minor);
        Self {
            vault_id: ID::from(row.vault_id),
            account_id: ID::from(row.account_id),
            asset: money.asset,
            minor: money.minor,
            decimals: money.decimals,
            symbol: money.symbol,
            block: Block::from(&row.block),
            observed_at: Timestamp(row.observed_at),
        }
    }
}

/// What is held of one asset, all accounts together.
#[derive(SimpleObject, Debug, Clone, PartialEq, Eq)]
pub struct AssetTotal {
    /// CAIP-19 name.
    pub asset: ID,
    /// How many minor units.
    pub minor: Amount,
    /// How many decimal places a whole unit has.
    pub decimals: i32,
    /// Short symbol, such as `ETH`.
    pub symbol: String,
}

impl AssetTotal {
    /// A sum with its asset's settings.
    pub fn new(services: &Services, asset: &AssetId, minor: vaultstream_event_schemas::Amount) -> Self {
        let money = Money::new(services, asset, minor);
        Self {
            asset: money.asset,
            minor: money.minor,
            decimals: money.decimals,
            symbol: money.symbol,
        }
    }

    /// The sums of some balances, by asset; a sum beyond 256 bits stays at the largest amount.
    pub fn sums(services: &Services, rows: &[BalanceRow]) -> Vec<Self> {
        let mut sums = std::collections::BTreeMap::<&AssetId, vaultstream_event_schemas::Amount>::new();
        for row in rows {
            let sum = sums.entry(&row.asset).or_default();
            *sum = sum
                .checked_add(row.minor)
                .unwrap_or(vaultstream_event_schemas::Amount::from_be_bytes([0xff; 32]));
        }
        sums.into_iter()
            .map(|(asset, minor)| Self::new(services, asset, minor))
            .collect()
    }
}
