//! Chain-neutral values that cross rooms: what to pay, how it is drawn up, what a chain answered.
//!
//! A `Plan` is everything a signer needs to derive the bytes itself; nobody hands a digest to a signer as an order.
//! Fields stand in canonical order because these values live inside events.

use serde::{Deserialize, Serialize};

use crate::caip::{AssetId, ChainId};
use crate::money::Amount;

macro_rules! value {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }
    )+ };
}

value! {
    /// A block by hash and height; the hash is what counts.
    BlockRef {
        /// The block's hash in the chain's own text form, lower case.
        hash: String,
        /// The block's height.
        height: u64,
    }

    /// A block and the one before it.
    Block {
        /// The block.
        at: BlockRef,
        /// The hash of its parent, lower case.
        parent: String,
    }

    /// Where a chain stands.
    ChainHead {
        /// The newest block the chain calls final.
        finalized: BlockRef,
        /// The newest block the chain calls safe.
        safe: BlockRef,
        /// The newest block.
        tip: Block,
    }

    /// What a transfer wants to happen on chain.
    Intent {
        /// How many minor units.
        amount: Amount,
        /// What is paid; names the chain.
        asset: AssetId,
        /// To whom, in the chain's own text form.
        destination: String,
        /// From which address.
        source: String,
    }

    /// What a transaction costs now, in minor units of the native asset per unit of work (gas, vbyte).
    FeeQuote {
        /// The block the quote was read at.
        at: BlockRef,
        /// Never bid more than this.
        ceiling: Amount,
        /// The least the next block takes.
        floor: Amount,
        /// What to bid.
        target: Amount,
        /// The part of the bid that goes to the block's producer.
        tip: Amount,
    }

    /// An Ethereum transaction of type 2 (EIP-1559), before it is signed.
    EvmPlan {
        /// EIP-155 chain id.
        chain_id: u64,
        /// Call data, hex with 0x.
        data: String,
        /// The paying address, EIP-55.
        from: String,
        /// Units of gas at most.
        gas_limit: u64,
        /// Wei per gas at most.
        max_fee_per_gas: Amount,
        /// Wei per gas for the producer at most.
        max_priority_fee_per_gas: Amount,
        /// The slot: the account's nonce.
        nonce: u64,
        /// The called address, EIP-55.
        to: String,
        /// Wei sent along.
        value: Amount,
    }

    /// Signed bytes and the id they will have on chain.
    RawTransaction {
        /// The bytes as a node takes them, hex with 0x.
        raw: String,
        /// The transaction's id in the chain's own text form, lower case.
        txid: String,
    }
}

/// Where a transaction is, as a node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionView {
    /// The node does not know it.
    Absent,
    /// It is in the node's pool.
    Pooled,
    /// It is in a block of the node's canonical chain.
    Included {
        /// The block.
        block: BlockRef,
        /// What the network charged, in minor units of the native asset.
        fee: Amount,
        /// Whether it did what it was meant to.
        succeeded: bool,
    },
}

/// A transaction drawn up for one chain family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Plan {
    /// Ethereum and its family.
    Evm(EvmPlan),
}

impl Plan {
    /// The most the network can charge for it, in minor units of the native asset; `None` on overflow.
    pub fn fee_max(&self) -> Option<Amount> {
        match self {
            Self::Evm(p) => p
                .max_fee_per_gas
                .checked_mul(Amount::from_u128(u128::from(p.gas_limit))),
        }
    }

    /// The slot value this plan occupies.
    pub const fn slot(&self) -> u64 {
        match self {
            Self::Evm(p) => p.nonce,
        }
    }
}

/// An asset a chain's settings list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssetSettings {
    /// CAIP-19 name.
    pub id: AssetId,
    /// Short symbol, such as `ETH`.
    pub symbol: String,
    /// How many decimal places a whole unit has.
    pub decimals: u8,
}

/// A chain an installation serves, as configuration and `GET /v1/chains` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainSettings {
    /// CAIP-2 name.
    pub id: ChainId,
    /// Short unique name for topics, files, metrics.
    pub slug: crate::caip::Slug,
    /// A person's name for it.
    pub name: String,
    /// Whether it is a sandbox whose money is worth nothing.
    pub sandbox: bool,
    /// What can be held; the first is the native asset that pays fees.
    pub assets: Vec<AssetSettings>,
}

impl ChainSettings {
    /// The asset that pays fees.
    pub fn native(&self) -> Option<&AssetSettings> {
        self.assets.first()
    }
    /// The settings of an asset of this chain.
    pub fn asset(&self, id: &AssetId) -> Option<&AssetSettings> {
        self.assets.iter().find(|a| &a.id == id)
    }
}
